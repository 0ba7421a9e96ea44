// Package archived puts a data set whose truth is known into the archive, as a snapshot
// that is complete. For tests only.
package archived

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"visionkeeper/dev/pictures"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/seal"
)

// Set is a data set as the archive has it.
type Set struct {
	pictures.Set
	Lines []byte // of its snapshot
	Proof dataset.Proof
	Files map[string][]byte // the pictures by their SHA-256
}

// New makes the snapshot of a set, of its project or of an iteration.
func New(set pictures.Set, iteration *pictures.Iteration) Set {
	out := Set{Set: set, Files: map[string][]byte{}}
	of := dataset.Workspace
	if iteration != nil {
		of = iteration.ID
	}
	begun := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	name, err := dataset.NewName(set.Project, of, begun)
	must(err)
	name.Snapshot = "20261130T100000Z-00000001"
	var lines bytes.Buffer
	write := func(l dataset.Line) { must(dataset.Write(&lines, l)) }
	header, err := json.Marshal(dataset.Header{Layout: dataset.Layout, Name: name, Begun: begun, Version: "v1.0.0"})
	must(err)
	write(dataset.Line{Kind: dataset.KindSnapshot, Data: header})
	write(dataset.Line{Kind: dataset.KindProject, Data: set.ProjectJSON()})
	write(dataset.Line{Kind: dataset.KindDomain, Data: set.DomainJSON()})
	for _, t := range set.Tags {
		write(dataset.Line{Kind: dataset.KindTag, Data: t.JSON()})
	}
	if iteration != nil {
		write(dataset.Line{Kind: dataset.KindIteration, Data: iteration.JSON(set)})
	}
	for _, i := range set.Images {
		f := File(i)
		write(dataset.Line{Kind: dataset.KindImage, Data: set.ImageJSON(i), Original: &f})
		out.Files[f.SHA256] = i.Bytes
	}
	sum := sha256.Sum256(lines.Bytes())
	out.Lines = lines.Bytes()
	out.Proof = dataset.Proof{
		Layout: dataset.Layout, Verdict: dataset.Complete, Note: "all is there", Name: name, ProjectName: set.Name, Blob: name.Blob(),
		Size: int64(lines.Len()), SHA256: hex.EncodeToString(sum[:]), Files: len(out.Files), Begun: begun, Ended: begun, Version: "v1.0.0",
		Missing: []dataset.Missing{}, Changes: []string{},
	}
	if iteration != nil {
		out.Proof.IterationName = iteration.Name
	}
	return out
}

// File is a picture as a snapshot names it.
func File(i pictures.Image) dataset.File {
	sum := sha256.Sum256(i.Bytes)
	return dataset.File{
		SHA256: hex.EncodeToString(sum[:]), Size: int64(len(i.Bytes)), ContentType: "application/octet-stream",
		Width: i.Width, Height: i.Height, Orientation: i.Orientation,
	}
}

// Put uploads the snapshot with its proof and its pictures.
func (s Set) Put(ctx context.Context, archive *container.Client) error {
	blobs := map[string][]byte{s.Proof.Blob: s.Lines}
	for hash, data := range s.Files {
		blobs[dataset.ImageBlob(s.Project, hash)] = data
	}
	proof, err := seal.Marshal(s.Proof)
	if err != nil {
		return err
	}
	blobs[s.Proof.Name.Proof(s.Proof.Verdict)] = proof
	for name, data := range blobs {
		if _, err := archive.NewBlockBlobClient(name).UploadBuffer(ctx, data, nil); err != nil {
			return fmt.Errorf("upload %s: %w", name, err)
		}
	}
	return nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
