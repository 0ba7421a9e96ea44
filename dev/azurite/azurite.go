// Package azurite starts Azurite, Microsoft's storage emulator, in the version
// that dev/tools/package-lock.json pins. It is for tests and local runs and is
// never linked into the deployed program. Start reading at Start.
package azurite

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The accounts of every instance. Copies between two accounts of one Azurite need
// a signed source, as in Azure. Copies within one account, or between two
// instances, would not test that.
const (
	// Customer holds the notification queue and the model container.
	Customer = "devstoreaccount1"
	// Archive holds the archive and the state.
	Archive = "archiveaccount"
	// Service holds the emulated Custom Vision's own packages.
	Service = "serviceaccount"
)

// developmentKey is the published key of devstoreaccount1, which
// UseDevelopmentStorage=true stands for.
const developmentKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

// startTimeout bounds the wait for Azurite to listen; it takes about a second, and
// half a minute on a busy machine.
const startTimeout = 5 * time.Minute

// Options are the options of an instance. The zero value keeps everything in
// memory and listens on free ports.
type Options struct {
	BlobPort, QueuePort int      // 0 takes a free port
	Args                []string // further arguments for Azurite
	Env                 []string // further environment, as KEY=value
}

// Server is a running Azurite.
type Server struct {
	blobURL, queueURL string

	stdin io.Closer
	done  chan struct{}
	once  sync.Once
}

// Start runs Azurite and returns when it listens. Azurite runs until Close, until
// ctx ends, or until this process ends, by whatever cause. Without
// dev/tools/node_modules, Start returns an error that says how to install it.
func Start(ctx context.Context, o Options) (*Server, error) {
	tools, err := toolsDir()
	if err != nil {
		return nil, err
	}
	args := append([]string{
		filepath.Join(tools, "azurite.js"), "--inMemoryPersistence", "--disableTelemetry", "--silent",
		"--blobPort", strconv.Itoa(o.BlobPort), "--queuePort", strconv.Itoa(o.QueuePort), "--tablePort", "0",
	}, o.Args...)
	cmd := exec.Command("node", args...)
	cmd.Env = append(append(os.Environ(), "AZURITE_ACCOUNTS="+accounts()), o.Env...)
	ownProcessGroup(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Azurite: %w: install Node.js 20 or newer, and see that node is in the PATH", err)
	}

	s := &Server{stdin: stdin, done: make(chan struct{})}
	type endpoint struct{ service, url string }
	found := make(chan endpoint, 3)
	go func() {
		defer close(s.done)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				found <- endpoint{m[1], m[2]}
			}
		}
		cmd.Wait()
	}()

	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	for s.blobURL == "" || s.queueURL == "" {
		select {
		case e := <-found:
			switch e.service {
			case "Blob":
				s.blobURL = e.url
			case "Queue":
				s.queueURL = e.url
			}
		case <-s.done:
			return nil, fmt.Errorf("start Azurite: it ended at once: %s", strings.TrimSpace(complaint.String()))
		case <-timeout.C:
			s.Close()
			return nil, fmt.Errorf("start Azurite: it did not listen within %s", startTimeout)
		case <-ctx.Done():
			s.Close()
			return nil, fmt.Errorf("start Azurite: %w", ctx.Err())
		}
	}
	context.AfterFunc(ctx, s.Close)
	return s, nil
}

// Close ends Azurite and waits until it has ended. What it stored is lost.
func (s *Server) Close() {
	s.once.Do(func() { s.stdin.Close() })
	<-s.done
}

// ConnectionString returns the connection string of one account: Customer, Archive
// or Service.
func (s *Server) ConnectionString(account string) string {
	protocol, _, _ := strings.Cut(s.blobURL, ":")
	return fmt.Sprintf("DefaultEndpointsProtocol=%s;AccountName=%s;AccountKey=%s;BlobEndpoint=%s/%s;QueueEndpoint=%s/%s;",
		protocol, account, key(account), s.blobURL, account, s.queueURL, account)
}

// BlobURL returns the blob endpoint of one account, without a trailing slash.
func (s *Server) BlobURL(account string) string { return s.blobURL + "/" + account }

// QueueURL returns the queue endpoint of one account, without a trailing slash.
func (s *Server) QueueURL(account string) string { return s.queueURL + "/" + account }

// listening matches the line in which Azurite prints its address.
var listening = regexp.MustCompile(`^Azurite (Blob|Queue) service is successfully listening at (https?://\S+)$`)

func key(account string) string {
	if account == Customer {
		return developmentKey
	}
	sum := sha256.Sum256([]byte("azurite account " + account))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func accounts() string {
	var list []string
	for _, a := range []string{Customer, Archive, Service} {
		list = append(list, a+":"+key(a))
	}
	return strings.Join(list, ";")
}

// toolsDir returns dev/tools below the nearest folder upward that has a go.mod.
func toolsDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("start Azurite: no go.mod above the working directory: run from within the project")
		}
		dir = parent
	}
	tools := filepath.Join(dir, "dev", "tools")
	if _, err := os.Stat(filepath.Join(tools, "node_modules", "azurite")); err != nil {
		return "", errors.New("start Azurite: it is not installed: run `make tools`")
	}
	return tools, nil
}
