package probe

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"visionkeeper/internal/customvision"
)

// This file asks by reading what is in the resource already.

const (
	mostProjects   = 20 // of which the iterations are read
	mostIterations = 30 // of which the exports are read
	mostPackage    = 200 << 20

	orderLooks = 8 // at a list that may be shuffled
)

// iterationOrder looks at a project with three trained iterations or more, several times.
func (r *Probe) iterationOrder(ctx context.Context) (string, error) {
	for _, p := range r.existing[:min(len(r.existing), mostProjects)] {
		first, err := r.trained(ctx, p.ID)
		if err != nil {
			return "", err
		}
		if len(first) < 3 || order(first) == "" {
			continue
		}
		seen := []string{order(first)}
		for range orderLooks - 1 {
			again, err := r.trained(ctx, p.ID)
			if err != nil {
				return "", err
			}
			seen = append(seen, order(again))
		}
		if answer, ok := one(seen); ok {
			return answer, nil
		}
		return "shuffled", nil
	}
	return "", errors.New("no project has three trained iterations")
}

// trained lists the trained iterations of a project as the service lists them.
func (r *Probe) trained(ctx context.Context, project string) ([]customvision.Iteration, error) {
	list, err := r.client.Iterations(ctx, project)
	return slices.DeleteFunc(list, func(i customvision.Iteration) bool { return i.TrainedAt == nil }), err
}

// order says how a list is ordered; "" if two of its times are the same.
func order(list []customvision.Iteration) string {
	rises, falls := true, true
	for n := range list[1:] {
		switch list[n].TrainedAt.Compare(*list[n+1].TrainedAt) {
		case 0:
			return ""
		case 1:
			rises = false
		case -1:
			falls = false
		}
	}
	switch {
	case rises:
		return "oldest-first"
	case falls:
		return "newest-first"
	}
	return "shuffled"
}

// export is an export that is done, and where it belongs.
type export struct {
	project   customvision.Project
	iteration string
	customvision.Export
}

// done lists exports that are there, with fresh links.
func (r *Probe) done(ctx context.Context) ([]export, error) {
	if r.read {
		return r.exports, nil
	}
	looked := 0
	for _, p := range r.existing[:min(len(r.existing), mostProjects)] {
		iterations, err := r.trained(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		for _, i := range iterations {
			if !i.Exportable || looked == mostIterations {
				continue
			}
			looked++
			list, err := r.client.Exports(ctx, p.ID, i.ID)
			if err != nil {
				return nil, err
			}
			for _, e := range list {
				if e.Status == customvision.ExportDone && e.DownloadURI != "" {
					r.exports = append(r.exports, export{p, i.ID, e})
				}
			}
		}
	}
	r.read = true
	return r.exports, nil
}

var errNoExport = errors.New("no export that is there shows it")

func (r *Probe) downloadURI(ctx context.Context) (string, error) {
	all, err := r.done(ctx)
	if err != nil {
		return "", err
	}
	var seen []string
	for _, e := range all {
		container := strings.TrimRight(e.project.Settings.ExportModelContainerURI, "/")
		switch {
		case strings.HasPrefix(e.DownloadURI, "/"):
			seen = append(seen, "relative")
		case container == "": // both other answers lead to the service's own account
		case strings.HasPrefix(e.DownloadURI, container+"/"):
			seen = append(seen, "container")
		default:
			seen = append(seen, "service")
		}
	}
	answer, ok := one(seen)
	switch {
	case len(seen) == 0:
		return "", errNoExport
	case !ok:
		return "", errors.New("the exports that are there differ")
	}
	return answer, nil
}

// artifactsOnV33 asks for a package by its name in the service's own storage.
func (r *Probe) artifactsOnV33(ctx context.Context) (string, error) {
	all, err := r.done(ctx)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", errNoExport
	}
	e := all[0]
	open := func(client *customvision.Client) error {
		body, err := client.Artifact(ctx, e.project.ID, e.path())
		if err == nil {
			body.Close()
		}
		return err
	}
	on33, on34 := open(r.client), open(r.client.Preview())
	switch {
	case on33 == nil:
		return "given", nil
	case refused(on33) && on34 == nil:
		return "refused", nil
	}
	return "", fmt.Errorf("v3.3 refuses a package: %w; v3.4-preview: %w", on33, cmp.Or(on34, errors.New("it gives it")))
}

// path is the relative address of an export's package.
func (e export) path() string {
	if strings.HasPrefix(e.DownloadURI, "/") {
		return e.DownloadURI
	}
	compact := func(id string) string { return strings.ReplaceAll(id, "-", "") }
	name := compact(e.iteration) + "." + e.Platform
	if e.Flavor != "" {
		name += "." + e.Flavor
	}
	return "/m-" + compact(e.project.ID) + "/" + name + ".zip"
}

func (r *Probe) coreMLPackage(ctx context.Context) (string, error) {
	all, err := r.done(ctx)
	if err != nil {
		return "", err
	}
	for _, e := range all {
		if !strings.EqualFold(e.Platform, "CoreML") {
			continue
		}
		content, err := r.download(ctx, e)
		switch {
		case err != nil:
			return "", err
		case bytes.HasPrefix(content, []byte("PK\x03\x04")):
			return "zip", nil
		}
		return "mlmodel", nil
	}
	return "", errNoExport
}

// manifestFlavor looks into a package for which no flavor was asked, and into one for
// which a flavor was. Only platforms count whose default has a name.
func (r *Probe) manifestFlavor(ctx context.Context) (string, error) {
	all, err := r.done(ctx)
	if err != nil {
		return "", err
	}
	var plain, flavored *manifest
	for _, e := range all {
		into := &flavored
		if e.Flavor == "" {
			into = &plain
		}
		if *into != nil || !slices.Contains([]string{"TensorFlow", "DockerFile", "ONNX"}, e.Platform) {
			continue
		}
		content, err := r.download(ctx, e)
		if err != nil {
			return "", err
		}
		if *into, err = readManifest(content); err != nil {
			return "", err
		}
	}
	switch {
	case plain != nil && plain.Flavor != "":
		return "named", nil
	case flavored != nil && flavored.Flavor == "":
		return "null", nil
	case plain != nil && flavored != nil:
		return "as-asked", nil
	}
	return "", errNoExport
}

// manifest is what cvexport.manifest says of the package.
type manifest struct{ Flavor string }

func readManifest(content []byte) (*manifest, error) {
	files, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("a package can't be read: %w", err)
	}
	for _, f := range files.File {
		if path.Base(f.Name) != "cvexport.manifest" {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("a package's manifest can't be read: %w", err)
		}
		defer in.Close()
		m := new(manifest)
		if err := json.NewDecoder(io.LimitReader(in, mostBytes)).Decode(m); err != nil {
			return nil, fmt.Errorf("a package's manifest can't be read: %w", err)
		}
		return m, nil
	}
	return nil, errors.New("a package has no manifest")
}

// download reads a package by its link, to which the key isn't sent.
func (r *Probe) download(ctx context.Context, e export) ([]byte, error) {
	if strings.HasPrefix(e.DownloadURI, "/") {
		body, err := r.client.Preview().Artifact(ctx, e.project.ID, e.DownloadURI)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return io.ReadAll(io.LimitReader(body, mostPackage))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.DownloadURI, nil)
	if err != nil {
		return nil, errors.New("a downloadUri is no URL")
	}
	response, err := web.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, whose query is a secret
		}
		return nil, fmt.Errorf("download a package: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download a package: the storage answered with %d", response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, mostPackage))
}
