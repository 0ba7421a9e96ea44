package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

// wanted are the exports that the demo's policy asks for.
var wanted = []string{"ONNX", "ONNX.ONNXFloat16", "TensorFlow"}

// demo runs the whole story once: a project is connected, trained, exported,
// archived and proven; a failed training is repeated once; one model is restored
// and checked by other programs. The error names the step that failed.
func (s *stack) demo(ctx context.Context) error {
	began := time.Now()
	tell("\n1. A project is connected to queue and container.")
	p, err := s.connect(ctx, "Demo kitchen")
	if err != nil {
		return err
	}
	tell("\n2. It is trained. Its notification leads to three exports, and each becomes a backup.")
	it, err := s.client.Train(ctx, p.ID, customvision.TrainOptions{})
	if err != nil {
		return err
	}
	if err := s.until(ctx, "every export is archived and proven", func() (bool, error) { return s.allProven(ctx, p.ID, it.ID) }); err != nil {
		return err
	}
	tell("\n3. Two trainings in a row will fail. The first failure is answered by one retraining, its failure by none.")
	if err := s.failTwice(ctx, p.ID); err != nil {
		return err
	}
	tell("\n4. What is in the archive:\n")
	if err := s.table(ctx, p.ID); err != nil {
		return err
	}
	tell("\n5. What others were told, by the queue %q:\n", eventsQueue)
	if err := s.told(ctx); err != nil {
		return err
	}
	tell("\n6. One model is restored and checked by other programs.")
	if err := s.restore(ctx, p.ID, it.ID); err != nil {
		return err
	}
	tell("\nAll of it is true. It took %s.", time.Since(began).Round(time.Second))
	return nil
}

func (s *stack) allProven(ctx context.Context, project, iteration string) (bool, error) {
	list, err := s.archive.Backups(ctx, project, iteration)
	if err != nil {
		return false, err
	}
	var proven []string
	for _, b := range list {
		if b.Verdict == archive.Proven {
			proven = append(proven, b.Key.String())
		}
	}
	slices.Sort(proven)
	return slices.Equal(proven, wanted), nil
}

// failTwice makes a training by a person and the app's answer to it fail. It
// checks that neither the messages nor a sweep start a third one.
func (s *stack) failTwice(ctx context.Context, project string) error {
	s.service.FailTrainings(2)
	before := s.service.Counts()["TrainProject"]
	if _, err := s.client.Train(ctx, project, customvision.TrainOptions{Force: true}); err != nil {
		return err
	}
	err := s.until(ctx, "the retraining has failed as well, and its message is dealt with", func() (bool, error) {
		list, err := s.client.Iterations(ctx, project)
		if err != nil {
			return false, err
		}
		failed := 0
		for _, it := range list {
			if it.Status == customvision.StatusFailed {
				failed++
			}
		}
		queue, err := s.queue.GetProperties(ctx, nil)
		return failed == 2 && err == nil && *queue.ApproximateMessagesCount == 0, err
	})
	if err != nil {
		return err
	}
	if err := s.sweep(ctx); err != nil {
		return err
	}
	if n := s.service.Counts()["TrainProject"] - before; n != 2 {
		return fmt.Errorf("the service received %d trainings, not 2: one by the person, one by the app", n)
	}
	return nil
}

// sweep runs a sweep and waits for its end.
func (s *stack) sweep(ctx context.Context) error {
	before := s.narrator.heard("swept")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.host.url()+"/admin/functions/sweep", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("run the sweep: the host answered %s", resp.Status)
	}
	return s.until(ctx, "the sweep ends", func() (bool, error) { return s.narrator.heard("swept") > before, nil })
}

func (s *stack) table(ctx context.Context, project string) error {
	list, err := s.archive.Backups(ctx, project, "")
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "  PROJECT\tITERATION\tEXPORT\tVERDICT\tBYTES\tSHA-256\tFROM")
	for _, b := range list {
		proof, err := s.archive.Proof(ctx, b)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s\t%s\t%s\t%s\t%d\t%.12s…\t%s\n", proof.ProjectName, proof.IterationName, b.Key, b.Verdict, proof.Size, proof.SHA256, proof.Source.Kind)
	}
	return out.Flush()
}

// told takes what others were told off the queue, as a program of theirs would, and checks
// that it is all of what happened, each once.
func (s *stack) told(ctx context.Context) error {
	happened := map[string]int{"training.completed": 1, "training.failed": 2, "backup.proven": len(wanted)}
	told, ids := map[string]int{}, map[string]bool{}
	err := s.until(ctx, "others are told all that happened", func() (bool, error) {
		batch, err := s.events.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{NumberOfMessages: new(int32(32))})
		if err != nil {
			return false, err
		}
		for _, m := range batch.Messages {
			var e struct{ ID, Type, Subject string }
			text, err := base64.StdEncoding.DecodeString(*m.MessageText)
			if err == nil {
				err = json.Unmarshal(text, &e)
			}
			if err != nil {
				return false, fmt.Errorf("read an event: %w", err)
			}
			if _, err := s.events.DeleteMessage(ctx, *m.MessageID, *m.PopReceipt, nil); err != nil {
				return false, err
			}
			if !ids[e.ID] { // one may come twice
				told[e.Type]++
				tell("  %-18s  %s", e.Type, e.Subject)
			}
			ids[e.ID] = true
		}
		return maps.Equal(told, happened), nil
	})
	if err != nil {
		return fmt.Errorf("others were told %v, and what happened is %v: %w", told, happened, err)
	}
	return nil
}

// restore writes one model to disk and checks it with unzip and sha1sum.
func (s *stack) restore(ctx context.Context, project, iteration string) error {
	list, err := s.archive.Backups(ctx, project, iteration)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(b archive.Backup) bool { return b.Key.String() == "ONNX.ONNXFloat16" })
	if i < 0 {
		return errors.New("restore a model: ONNX.ONNXFloat16 is not in the archive")
	}
	path := filepath.Join(s.dir, "model.zip")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = s.archive.Restore(ctx, list[i], file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if _, err := shell(ctx, "unzip -tq model.zip", s.dir); err != nil {
		return err
	}
	promised, err := shell(ctx, `unzip -p model.zip cvexport.manifest | sed -n 's/.*"ModelFileSHA1": *"\([0-9a-f]*\)".*/\1/p'`, s.dir)
	if err != nil {
		return err
	}
	found, err := shell(ctx, "unzip -p model.zip model.onnx | sha1sum | cut -d' ' -f1", s.dir)
	if err != nil {
		return err
	}
	if found == "" || found != promised {
		return fmt.Errorf("the restored model has the SHA-1 %q, its manifest promises %q", found, promised)
	}
	return nil
}

// shell runs a command line in dir. It prints the line and its output, and returns
// the output.
func shell(ctx context.Context, line, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	tell("  $ %s\n    %s", line, text)
	if err != nil {
		return "", fmt.Errorf("%s: %w (are unzip and sha1sum installed?)", line, err)
	}
	return text, nil
}
