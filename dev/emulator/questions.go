package emulator

import (
	"fmt"
	"slices"
	"strings"
)

// A Question is a behaviour of the real service that isn't publicly known. The
// emulator can behave in each possible way, so that a client can be tested against
// all of them.
type Question string

// The questions. Questions lists their answers.
const (
	StorageURIs         Question = "storage-uris"
	ConnectionTest      Question = "connection-test"
	UnchangedURI        Question = "unchanged-uri"
	PatchURIs           Question = "patch-uris"
	PatchWithoutURIs    Question = "patch-without-uris"
	PatchEmptyURIs      Question = "patch-empty-uris"
	DownloadURI         Question = "download-uri"
	SecondFlavor        Question = "second-flavor"
	RepeatAfterFailure  Question = "repeat-after-failure"
	NewerVersion        Question = "newer-version"
	UnlistedFlavors     Question = "unlisted-flavors"
	ManifestFlavor      Question = "manifest-flavor"
	CoreMLPackage       Question = "coreml-package"
	BlobNames           Question = "blob-names"
	ModelURI            Question = "model-uri"
	FailedModelURI      Question = "failed-model-uri"
	MessageTiming       Question = "message-timing"
	MessageEncoding     Question = "message-encoding"
	PublishOverwrite    Question = "publish-overwrite"
	TrainAfterFailure   Question = "train-after-failure"
	ValidationCode      Question = "validation-code"
	IterationOrder      Question = "iteration-order"
	NewIteration        Question = "new-iteration"
	ProjectNames        Question = "project-names"
	ImportedURIs        Question = "imported-uris"
	SubscriptionKey     Question = "subscription-key"
	ArtifactsOnV33      Question = "artifacts-on-v3.3"
	DeletePublished     Question = "delete-published-project"
	TrainWhileImporting Question = "train-while-importing"
	NameLength          Question = "name-length"
)

// Known describes a question.
type Known struct {
	Question Question
	Ask      string   // the question as a sentence
	Answers  []string // the possible answers; the first is what the emulator assumes
}

// Questions returns every question with its answers.
func Questions() []Known { return slices.Clone(questions) }

var questions = []Known{
	{StorageURIs, "Are the storage URIs kept that a caller sets? preview-only: on v3.4-preview only, as the published contracts say.", []string{"kept", "dropped", "preview-only"}},
	{ConnectionTest, "What does the connection test say of URIs that work?", []string{"passes", "refused"}},
	{UnchangedURI, "Does a PATCH that sets the same queue URI again send another ConnectionTest?", []string{"tested", "silent"}},
	{PatchURIs, "Does PATCH set the storage URIs? v3.4-preview declares them read-only.", []string{"sets", "ignored"}},
	{PatchWithoutURIs, "Does a PATCH whose settings lack the URIs clear them?", []string{"kept", "cleared"}},
	{PatchEmptyURIs, "Does a PATCH with null or \"\" for a URI clear it?", []string{"cleared", "kept"}},
	{DownloadURI, "Where does downloadUri point? container: to the blob in the customer's container where there is one; relative: as with a virtual network, to be read by GetArtifact.", []string{"service", "container", "relative"}},
	{SecondFlavor, "What happens to a second flavor of a platform, whose blob has the same name? refused: ExportIteration answers 400; fails: the export ends as Failed.", []string{"overwrites", "refused", "fails"}},
	{RepeatAfterFailure, "Can an export that Failed be asked for again?", []string{"allowed", "refused"}},
	{NewerVersion, "Does a newer exporter come out after an export? once: the first package of each export has newerVersionAvailable, and may be asked for once more.", []string{"none", "once"}},
	{UnlistedFlavors, "Are flavors accepted that the contract doesn't list (TensorFlowJs, ONNXFloat16, …)?", []string{"accepted", "refused"}},
	{ManifestFlavor, "What does cvexport.manifest say as Flavor? as-asked: null where none was asked for; named: the platform's default by name; null: never a name.", []string{"as-asked", "named", "null"}},
	{CoreMLPackage, "Is a CoreML package a zip or a bare .mlmodel?", []string{"zip", "mlmodel"}},
	{BlobNames, "Are the GUIDs in the container's blob names hyphenated?", []string{"hyphenated", "compact"}},
	{ModelURI, "Are the spaces of the blob name escaped in modelUri?", []string{"escaped", "raw"}},
	{FailedModelURI, "What is modelUri in the message about a failed export?", []string{"missing", "null", "empty"}},
	{MessageTiming, "Does the message come after or before the state that it reports?", []string{"after-state", "before-state"}},
	{MessageEncoding, "Is the text on the queue Base64 or raw?", []string{"base64", "raw"}},
	{PublishOverwrite, "Does overwrite=true move a publish name from another iteration?", []string{"works", "fails"}},
	{TrainAfterFailure, "Is training unneeded when the last one failed and nothing changed?", []string{"allowed", "not-needed"}},
	{ValidationCode, "Which code refuses a training for too few tags or images?", []string{"specific", "general"}},
	{IterationOrder, "In which order are iterations listed?", []string{"oldest-first", "newest-first", "shuffled"}},
	{NewIteration, "Is the open workspace listed, as an iteration with status New?", []string{"hidden", "listed"}},
	{ProjectNames, "Must project names be unique?", []string{"any", "unique"}},
	{ImportedURIs, "Does an imported project keep the storage URIs?", []string{"dropped", "kept"}},
	{SubscriptionKey, "Is the key accepted as Ocp-Apim-Subscription-Key?", []string{"refused", "accepted"}},
	{ArtifactsOnV33, "Does GetArtifact give exports on v3.3? (One user: on v3.4-preview only.)", []string{"given", "refused"}},
	{DeletePublished, "Can a project be deleted while an iteration of it is published?", []string{"works", "refused"}},
	{TrainWhileImporting, "Can a project be trained while it is being imported?", []string{"refused", "allowed"}},
	{NameLength, "Are the names of projects, tags and iterations limited? limited: to 128 characters.", []string{"any", "limited"}},
}

// Answer chooses the answer to a question from now on. An unknown question or
// answer is an error.
func (s *Server) Answer(q Question, value string) error {
	for _, known := range questions {
		if known.Question != q {
			continue
		}
		if !slices.Contains(known.Answers, value) {
			return fmt.Errorf("question %s has no answer %q: choose one of %s", q, value, strings.Join(known.Answers, ", "))
		}
		s.mu.Lock()
		s.answers[q] = value
		s.mu.Unlock()
		return nil
	}
	return fmt.Errorf("there is no question %q", q)
}

// answer returns the chosen answer, or else the assumed one. s.mu must be held.
func (s *Server) answer(q Question) string {
	if value, ok := s.answers[q]; ok {
		return value
	}
	for _, known := range questions {
		if known.Question == q {
			return known.Answers[0]
		}
	}
	panic("no such question: " + string(q))
}
