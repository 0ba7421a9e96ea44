package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
)

// This file asks by a project of the probe's own.

// uris is how the resource treats storage addresses.
type uris struct {
	version string // of the API that has them; "" if they are dropped
	set     bool   // whether a PATCH sets them
}

// storageURIs makes the project of the probe with storage addresses. A service that
// refuses them because their account doesn't exist has read them, so it has them.
func (r *Probe) storageURIs(ctx context.Context) (string, error) {
	has, err := r.tryAddresses(ctx, v33)
	if err != nil {
		return "", err
	}
	if has {
		r.uris.version = v33
		return "kept", nil
	}
	if has, err = r.tryAddresses(ctx, v34); has {
		r.uris.version = v34
		return "preview-only", nil
	}
	r.api = r.client
	if r.own.ID == "" { // v3.4-preview made none
		was := err
		if r.own, err = r.create(ctx, r.client.CreateProject, addresses{}); err == nil {
			err = fmt.Errorf("v3.4-preview makes no project: %w", was)
		}
	}
	if err != nil {
		return "", err
	}
	if has, err = r.patchSets(ctx); has {
		err = errors.New("the service drops the addresses of a new project, and has those of a PATCH: no answer is right")
	}
	return "dropped", err
}

// tryAddresses makes the project anew with storage addresses, or without them if they
// are refused. It reports whether this version of the API has them.
func (r *Probe) tryAddresses(ctx context.Context, version string) (has bool, err error) {
	if r.own.ID != "" { // one at a time, because a free resource has two
		if err := r.delete(ctx, r.own.ID); err != nil {
			return false, err
		}
	}
	r.api, r.own = r.client, customvision.Project{}
	create := r.client.CreateProject
	if version == v34 {
		r.api = r.client.Preview()
		create = r.api.CreateProjectWithBody
	}
	asked := r.nowhere()
	p, err := r.create(ctx, create, asked)
	was := err
	if refused(err) {
		p, err = r.create(ctx, create, addresses{})
	}
	if err != nil {
		return false, err
	}
	r.own = p
	switch addressesOf(p) {
	case asked:
		return true, nil
	case addresses{}:
		return was != nil, nil
	}
	return false, errors.New("the service kept one storage address, or changed it: no answer is right")
}

// patch changes settings of the own project and reads it.
func (r *Probe) patch(ctx context.Context, settings map[string]any) (reply, addresses, error) {
	a, err := r.send(ctx, r.version(), call{
		method: http.MethodPatch, path: "projects/" + r.own.ID,
		body: map[string]any{"name": r.own.Name, "settings": settings},
	})
	if err != nil {
		return a, addresses{}, err
	}
	p, err := r.api.Project(ctx, r.own.ID)
	return a, addressesOf(p), err
}

// version is that of r.api.
func (r *Probe) version() string {
	if r.uris.version == v34 {
		return v34
	}
	return v33
}

const (
	containerMember = "exportModelContainerUri"
	queueMember     = "notificationQueueUri"
)

// without is settings without storage addresses.
var without = map[string]any{"classificationType": "Multiclass"}

// patchSets reports whether a PATCH sets storage addresses, or at least reads them.
func (r *Probe) patchSets(ctx context.Context) (bool, error) {
	asked, before := r.nowhere(), r.own
	a, got, err := r.patch(ctx, map[string]any{containerMember: asked.container, queueMember: asked.queue})
	switch {
	case err != nil:
		return false, err
	case a.status == http.StatusBadRequest: // for the addresses, if it isn't for the PATCH
		plain, _, err := r.patch(ctx, without)
		if err == nil && plain.status != http.StatusOK {
			err = plain.unexpected()
		}
		return err == nil, err
	case a.status != http.StatusOK:
		return false, a.unexpected()
	case got == asked:
		return true, nil
	case got == addressesOf(before):
		return false, nil
	}
	return false, errors.New("a PATCH set one storage address, or cleared them: no answer is right")
}

var errNoURIs = errors.New("the service doesn't keep storage addresses")

func (r *Probe) patchURIs(ctx context.Context) (string, error) {
	if r.uris.version == "" {
		return "", errNoURIs
	}
	set, err := r.patchSets(ctx)
	if err != nil {
		return "", err
	}
	r.uris.set = set
	if set {
		return "sets", nil
	}
	return "ignored", nil
}

// connect gives the own project storage addresses.
func (r *Probe) connect(ctx context.Context) error {
	switch {
	case r.uris.version == "":
		return errNoURIs
	case !r.uris.set:
		return errors.New("a PATCH doesn't set storage addresses")
	}
	asked := r.nowhere()
	_, got, err := r.patch(ctx, map[string]any{containerMember: asked.container, queueMember: asked.queue})
	if err == nil && got != asked {
		err = errors.New("the service refuses addresses that it can't reach, so it takes a queue and a container, into which it would write")
	}
	return err
}

// patched says what a PATCH with these settings does to storage addresses.
func (r *Probe) patched(ctx context.Context, settings map[string]any) (string, error) {
	if err := r.connect(ctx); err != nil {
		return "", err
	}
	before, err := r.api.Project(ctx, r.own.ID)
	if err != nil {
		return "", err
	}
	a, got, err := r.patch(ctx, settings)
	switch {
	case err != nil:
		return "", err
	case a.status != http.StatusOK:
		return "", a.unexpected()
	}
	return keptOr("cleared", addressesOf(before), got)
}

// keptOr says what became of storage addresses.
func keptOr(gone string, before, after addresses) (string, error) {
	switch after {
	case before:
		return "kept", nil
	case addresses{}:
		return gone, nil
	}
	return "", errors.New("one storage address was kept, the other not: no answer is right")
}

func (r *Probe) patchWithoutURIs(ctx context.Context) (string, error) {
	return r.patched(ctx, without)
}

func (r *Probe) patchEmptyURIs(ctx context.Context) (string, error) {
	var seen []string
	for _, empty := range []any{nil, ""} {
		answer, err := r.patched(ctx, map[string]any{containerMember: empty, queueMember: empty})
		if err != nil {
			return "", err
		}
		seen = append(seen, answer)
	}
	if seen[0] != seen[1] {
		return "", fmt.Errorf("by null they are %s, by \"\" %s: no answer is right", seen[0], seen[1])
	}
	return seen[0], nil
}

const (
	importTime  = time.Minute
	importPause = time.Second
)

// importedURIs makes a copy of the own project, and deletes it.
func (r *Probe) importedURIs(ctx context.Context) (string, error) {
	if err := r.connect(ctx); err != nil {
		return "", err
	}
	before, err := r.api.Project(ctx, r.own.ID)
	if err != nil {
		return "", err
	}
	exported, err := r.send(ctx, r.version(), call{method: http.MethodGet, path: "projects/" + r.own.ID + "/export"})
	if err != nil {
		return "", err
	}
	var offer struct{ Token string }
	if exported.status != http.StatusOK || json.Unmarshal(exported.body, &offer) != nil {
		return "", exported.unexpected()
	}
	imported, err := r.send(context.WithoutCancel(ctx), r.version(), call{
		method: http.MethodPost, path: "projects/import", query: url.Values{"token": {offer.Token}, "name": {r.name + "-copy"}},
	})
	if err != nil {
		r.lost = true
		return "", err
	}
	var p customvision.Project
	if imported.status != http.StatusOK || json.Unmarshal(imported.body, &p) != nil {
		return "", imported.unexpected()
	}
	r.remember(p)
	for end := time.Now().Add(importTime); ; sleep(ctx, importPause) {
		if p, err = r.api.Project(ctx, p.ID); err != nil {
			return "", err
		}
		if p.Status != customvision.StatusImporting || time.Now().After(end) {
			break
		}
	}
	if p.Status != "Succeeded" {
		return "", fmt.Errorf("the copy of the project has the status %s", p.Status)
	}
	answer, err := keptOr("dropped", addressesOf(before), addressesOf(p))
	return answer, errors.Join(err, r.delete(ctx, p.ID))
}

func (r *Probe) newIteration(ctx context.Context) (string, error) {
	list, err := r.client.Iterations(ctx, r.own.ID)
	switch {
	case err != nil:
		return "", err
	case len(list) == 0:
		return "hidden", nil
	case len(list) == 1 && list[0].Status == customvision.StatusNew:
		return "listed", nil
	}
	return "", fmt.Errorf("a new project has %d iterations: no answer is right", len(list))
}

// validationCode asks for a training that the service has to refuse: without tags and
// pictures there is nothing to train.
func (r *Probe) validationCode(ctx context.Context) (string, error) {
	const general = "TrainingValidationFailed"
	_, err := r.client.Train(ctx, r.own.ID, customvision.TrainOptions{})
	var e *customvision.Error
	switch {
	case err == nil:
		return "", errors.New("the service trains without tags and pictures")
	case !errors.As(err, &e) || !strings.HasSuffix(e.Code, general):
		return "", err
	case e.Code == "BadRequest"+general:
		return "general", nil
	}
	return "specific", nil
}

// projectNames makes a second project of the same name, and deletes it.
func (r *Probe) projectNames(ctx context.Context) (string, error) {
	p, err := r.create(ctx, r.client.CreateProject, addresses{})
	var e *customvision.Error
	switch {
	case err == nil:
		return "any", r.delete(ctx, p.ID)
	case errors.As(err, &e) && e.Code == "BadRequestProjectNameNotUnique":
		return "unique", nil
	}
	return "", err
}

// nameLengths are tried: those about the limit that the emulator offers, and a long
// one.
var nameLengths = []int{128, 129, 1024}

// nameLength gives the own project and its tags longer and longer names. Names of
// iterations can't be tried without one.
func (r *Probe) nameLength(ctx context.Context) (string, error) {
	path := "projects/" + r.own.ID
	longest := func(name string) call {
		return call{method: http.MethodPatch, path: path, body: map[string]any{"name": name}}
	}
	ofProject, err := r.taken(ctx, longest)
	if err != nil {
		return "", err
	}
	ofTag, err := r.taken(ctx, func(name string) call {
		return call{method: http.MethodPost, path: path + "/tags", query: url.Values{"name": {name}}}
	})
	if err != nil {
		return "", err
	}
	switch [2]int{ofProject, ofTag} {
	case [2]int{1024, 1024}:
		return "any", nil
	case [2]int{128, 128}:
		return "limited", nil
	}
	return "", fmt.Errorf("of the lengths %v the longest taken is %d for a project and %d for a tag: no answer is right", nameLengths, ofProject, ofTag)
}

// taken is the longest of nameLengths that a call takes, 0 if none.
func (r *Probe) taken(ctx context.Context, name func(string) call) (longest int, err error) {
	for _, length := range nameLengths {
		a, err := r.send(ctx, v33, name(r.name+strings.Repeat("x", length-len(r.name))))
		switch {
		case err != nil:
			return 0, err
		case a.status == http.StatusOK:
			longest = length
		case a.status != http.StatusBadRequest:
			return 0, a.unexpected()
		}
	}
	return longest, nil
}

func (r *Probe) subscriptionKey(ctx context.Context) (string, error) {
	a, err := r.send(ctx, v33, call{method: http.MethodGet, path: "domains", keyHeader: subscriptionKey})
	switch {
	case err != nil:
		return "", err
	case a.status == http.StatusOK:
		return "accepted", nil
	case a.status == http.StatusUnauthorized:
		return "refused", nil
	}
	return "", a.unexpected()
}
