package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
)

// maxMessage bounds an event as it is sent, in bytes: as Base64 it fits into a message of
// a storage queue, which takes 64 KiB.
const maxMessage = 48 << 10

// message is an event as it is sent: CloudEvents 1.0, in JSON.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
type message struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            any       `json:"data"`
}

// provedData is the data of an event that a proof tells.
type provedData struct {
	brokenData
	Proof              string          `json:"proof"`
	Size               int64           `json:"size"` // bytes
	SHA256             string          `json:"sha256"`
	VerifiedAt         time.Time       `json:"verifiedAt"`
	TrainedAt          *time.Time      `json:"trainedAt"`
	PublishedName      string          `json:"publishedName"`
	Domain             archive.Domain  `json:"domain"`
	ClassificationType string          `json:"classificationType"`
	Tags               []archive.Tag   `json:"tags"`
	Performance        json.RawMessage `json:"performance"`
	// Omitted names what made the event too large for a queue. The proof has it.
	Omitted []string `json:"omitted"`
}

// write is the event as it is sent. It is the same at each try. (Get Blob where a proof
// tells it)
func write(ctx context.Context, a *archive.Archive, e state.Event) ([]byte, error) {
	m := message{
		SpecVersion: "1.0", ID: e.ID, Source: a.URL(), Type: e.Type, Subject: e.Subject, Time: e.Time.UTC(),
		DataContentType: "application/json", Data: e.Data,
	}
	if e.Proof == "" {
		return json.Marshal(m)
	}
	b, err := a.ByProof(e.Proof)
	if err != nil {
		return nil, err
	}
	p, err := a.Proof(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("read what event %s tells: %w", e.ID, err)
	}
	m.Time = p.VerifiedAt // the state may have been written again after that
	data := provedData{
		brokenData: brokenData{
			Project: Named{p.Project, p.ProjectName}, Iteration: Named{p.Iteration, p.IterationName},
			Export: p.Key.String(), Platform: p.Platform, Flavor: p.Flavor,
			Container: a.Name(), Blob: p.Blob, Verdict: p.Verdict, Why: p.Note,
		},
		Proof: e.Proof, Size: p.Size, SHA256: p.SHA256, VerifiedAt: p.VerifiedAt, TrainedAt: p.TrainedAt, PublishedName: p.PublishedName,
		Domain: p.Domain, ClassificationType: p.ClassificationType, Tags: p.Tags, Performance: p.Performance, Omitted: []string{},
	}
	if e.Type == BackupBroken {
		data.Finding = string(archive.Damaged)
	}
	for _, leaveOut := range []func(*provedData){
		func(*provedData) {},
		func(d *provedData) {
			d.Performance, d.Omitted = overall(d.Performance), []string{"performance.perTagPerformance"}
		},
		func(d *provedData) { d.Tags, d.Omitted = nil, append(d.Omitted, "tags") },
		func(d *provedData) { d.Performance, d.Omitted = nil, []string{"performance", "tags"} },
	} {
		leaveOut(&data)
		m.Data = data
		text, err := json.Marshal(m)
		if err != nil || len(text) <= maxMessage {
			return text, err
		}
	}
	return nil, fmt.Errorf("event %s is larger than %d bytes", e.ID, maxMessage)
}

// overall is a performance without its tags; null where it can't be read.
func overall(performance json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(performance, &members) != nil {
		return nil
	}
	delete(members, "perTagPerformance")
	short, err := json.Marshal(members)
	if err != nil {
		return nil
	}
	return short
}
