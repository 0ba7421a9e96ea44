package emulator

import (
	"context"
	"time"

	"visionkeeper/internal/storage"
)

// Options are the options of an emulator. Only Key is required.
type Options struct {
	Key string // the Training-Key and Prediction-Key that callers must send

	// TrainTime, ExportTime and ImportTime are how long a training, an export
	// and the import of a project take; zero ends them at once.
	TrainTime, ExportTime, ImportTime time.Duration

	// State is a file that keeps everything across a restart. Pictures are in a
	// folder beside it. "" keeps everything in memory.
	State string

	// Seeds are folders of pictures and COCO files. Of each a project is made that has
	// the name of the folder or file, unless one of that name is there.
	Seeds []string

	// Storage is the customer's account. A project's notificationQueueUri and
	// exportModelContainerUri must belong to it. Without it the URIs are not
	// tested, and messages are only listed by Messages.
	Storage storage.Account
	// ServiceStorage is the service's own account. It holds the exported packages,
	// and downloadUri is a SAS for one. Without it the emulator serves them.
	ServiceStorage storage.Account

	// App says what the app that is tried made of a project's exports, for the page: by
	// iteration, and by "Platform" or "Platform.Flavor", such as "proven". Nil shows nothing.
	App func(ctx context.Context, project string) map[string]map[string]string

	// AppPage says where the app's own page is, for a link to it; "" for none, as is nil.
	AppPage func() string

	// URL is the server's address in links, and its host is one by which callers may
	// ask for the server, besides this machine's own. If it is empty, links use the
	// Host header of the request.
	URL string

	// ModelSize is the size of an exported model file in bytes; 0 is 3 MB.
	ModelSize int

	// Tier applies the limits of the pricing tier "F0" or "S0"; "" has none.
	Tier string
	// NoValidation allows trainings without tags and images.
	NoValidation bool
	// Bearer accepts any bearer token in place of the key.
	Bearer bool

	// Frozen stops the clock at this instant until it is set or advanced. Zero
	// means the real clock.
	Frozen time.Time

	// Logf logs failures of storage. Nil logs nothing.
	Logf func(format string, args ...any)

	// Answers chooses how the emulator behaves where the real service's behaviour
	// isn't known. A question without an answer here has its first answer.
	Answers map[Question]string
}

const (
	defaultModelSize = 3_000_000
	downloadLife     = 24 * time.Hour // measured: se = time of the call + 24 h
)
