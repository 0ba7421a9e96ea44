package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
)

// The demo project's tags, and how many pictures each has. They are noise: the emulator
// learns nothing from pictures, but its models do better with more of them.
var (
	demoTags    = []string{"bottle", "cup", "kettle", "plate"}
	picturesFor = 8 // and one more with each tag
)

// addPictures gives a project tags and pictures, as a person would in the portal.
func (s *stack) addPictures(ctx context.Context, project string) error {
	for n, name := range demoTags {
		var tag struct{ ID string }
		if err := s.post(ctx, "projects/"+project+"/tags?name="+url.QueryEscape(name), nil, &tag); err != nil {
			return fmt.Errorf("create the tag %q: %w", name, err)
		}
		for range picturesFor + n {
			if err := s.post(ctx, "projects/"+project+"/images?tagIds="+tag.ID, picture(), nil); err != nil {
				return fmt.Errorf("add a picture of %q: %w", name, err)
			}
		}
	}
	return nil
}

// picture is one that there is only once.
func picture() []byte {
	const side = 32
	p := image.NewGray(image.Rect(0, 0, side, side))
	for x := range side {
		for y := range side {
			p.SetGray(x, y, color.Gray{Y: uint8(rand.IntN(256))})
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, p) // it goes to memory
	return b.Bytes()
}

// post calls the Training API for what the app has no client for.
func (s *stack) post(ctx context.Context, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.service.url+"/customvision/v3.3/training/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Training-Key", s.key())
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the service answers %s: %s", resp.Status, answer)
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}
