package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/storage"
)

// settings are the values of the command line's flags.
type settings struct {
	listen        string
	customer, own string // connection strings, parsed later because errors of package flag quote values
	emulator.Options
}

func (s *settings) flags() *flag.FlagSet {
	f := flag.NewFlagSet("emulator", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "Usage of emulator (`emulator probe -h` explains how a real resource is asked):")
		f.PrintDefaults()
	}
	f.StringVar(&s.listen, "listen", "127.0.0.1:5599", "`address` to listen on; port 0 takes a free one")
	f.StringVar(&s.Key, "key", "", "the Training-Key and Prediction-Key that callers must send")
	f.DurationVar(&s.TrainTime, "train-time", 2*time.Second, "how long a training takes")
	f.DurationVar(&s.ExportTime, "export-time", time.Second, "how long an export takes")
	f.DurationVar(&s.ImportTime, "import-time", time.Second, "how long the import of a project takes")
	f.StringVar(&s.customer, "storage", "", "connection `string` of the customer's account, for queue and container")
	f.StringVar(&s.own, "service-storage", "", "connection `string` of the service's own account, for packages")
	f.StringVar(&s.State, "state", "", "`file` that keeps everything over a restart (default: memory)")
	f.StringVar(&s.URL, "url", "", "where callers reach the emulator, if not as localhost or by its address; the links it hands out begin so (default: as they call it)")
	f.IntVar(&s.ModelSize, "model-size", 0, "size of an exported model file in `bytes` (default 3 MB)")
	f.StringVar(&s.Tier, "tier", "", "apply the limits of the pricing `tier` F0 or S0")
	f.BoolVar(&s.NoValidation, "no-validation", false, "train without tags and images")
	f.BoolVar(&s.Bearer, "bearer", false, "accept any bearer token in place of the key")
	f.Func("seed", "make a project of a `folder` of pictures, one folder a tag, or of a COCO file (repeatable)", func(path string) error {
		s.Seeds = append(s.Seeds, path)
		return nil
	})
	s.Answers = map[emulator.Question]string{}
	f.Func("answer", "`question=answer` where the real service isn't known (repeatable)", func(text string) error {
		question, answer, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("write question=answer")
		}
		s.Answers[emulator.Question(question)] = answer
		return nil
	})
	return f
}

// parse reads the command line. Errors don't quote connection strings.
func parse(args []string) (*settings, error) {
	s := &settings{}
	f := s.flags()
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag: -h lists them", f.Arg(0))
	}
	var err error
	if s.customer != "" {
		if s.Storage, err = storage.ParseConnectionString(s.customer); err != nil {
			return nil, fmt.Errorf("-storage: %w", err)
		}
	}
	if s.own != "" {
		if s.ServiceStorage, err = storage.ParseConnectionString(s.own); err != nil {
			return nil, fmt.Errorf("-service-storage: %w", err)
		}
	}
	return s, nil
}
