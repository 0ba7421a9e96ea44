package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"visionkeeper/internal/customvision"
)

// findProjects are the service's projects: the one that is named by name or id,
// or all where which is empty.
func findProjects(ctx context.Context, service *customvision.Client, which string) ([]customvision.Project, error) {
	all, err := service.Projects(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if id, err := customvision.ParseID(all[i].ID); err == nil {
			all[i].ID = id
		}
	}
	if which == "" {
		return all, nil
	}
	found := slices.DeleteFunc(slices.Clone(all), func(p customvision.Project) bool {
		id, err := customvision.ParseID(which)
		return !strings.EqualFold(p.Name, which) && (err != nil || p.ID != id)
	})
	return found, one("project", which, names(found, func(p customvision.Project) string { return p.ID }), names(all, func(p customvision.Project) string { return p.Name }))
}

// findIteration is the id of an iteration of a project as a person names it: by
// id, by name, latest (the one trained last) or published.
func findIteration(ctx context.Context, service *customvision.Client, project customvision.Project, which string) (string, error) {
	all, err := service.Iterations(ctx, project.ID)
	if err != nil {
		return "", fmt.Errorf("list the iterations of %q: %w", project.Name, err)
	}
	return chooseIteration(iterationNames(all), which)
}

// iterationNames are the trainings that the service lists.
func iterationNames(all []customvision.Iteration) []iterationName {
	var list []iterationName
	for _, it := range all {
		if it.Status == customvision.StatusNew {
			continue
		}
		n := iterationName{ID: it.ID, Name: it.Name, Published: it.PublishName != ""}
		if it.TrainedAt != nil && it.Status == customvision.StatusCompleted {
			n.Trained = it.TrainedAt.UnixNano()
		}
		list = append(list, n)
	}
	return list
}

// iterationName is an iteration as a person may name it.
type iterationName struct {
	ID, Name  string
	Trained   int64 // order in time; 0 where it isn't trained
	Published bool
}

func chooseIteration(all []iterationName, which string) (string, error) {
	trained := slices.DeleteFunc(slices.Clone(all), func(n iterationName) bool { return n.Trained == 0 })
	if strings.EqualFold(which, "latest") && len(trained) > 0 {
		return slices.MaxFunc(trained, func(a, b iterationName) int { return int(min(max(a.Trained-b.Trained, -1), 1)) }).ID, nil
	}
	id, notID := customvision.ParseID(which)
	found := slices.DeleteFunc(slices.Clone(all), func(n iterationName) bool {
		if strings.EqualFold(which, "published") {
			return !n.Published
		}
		return !strings.EqualFold(n.Name, which) && (notID != nil || n.ID != id)
	})
	if err := one("iteration", which, names(found, func(n iterationName) string { return n.ID }), names(all, func(n iterationName) string { return n.Name })); err != nil {
		return "", err
	}
	return found[0].ID, nil
}

func names[T any](list []T, name func(T) string) []string {
	var out []string
	for _, v := range list {
		out = append(out, name(v))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// one is nil if exactly one thing was found by a name. Else it says what is wrong.
func one(kind, which string, found, all []string) error {
	what := fmt.Sprintf("Could not find the %s %q", kind, which)
	switch {
	case len(found) == 1:
		return nil
	case len(found) > 1:
		return problem{What: what, Why: fmt.Sprintf("There are %d of that name", len(found)), Do: "Name it by its id, one of " + strings.Join(found, ", ")}
	case len(all) == 0:
		return problem{What: what, Why: fmt.Sprintf("There is no %s at all", kind), Do: "Look at what there is with `visionkeeper status`"}
	}
	return problem{What: what, Why: "There is none of that name or id", Do: "Choose one of " + strings.Join(all, ", ")}
}

var errNoEndpoint = problem{
	What: "Could not ask Custom Vision",
	Why:  "CUSTOMVISION_ENDPOINT is not set",
	Do:   "Set it to the endpoint of the training resource, such as https://NAME.cognitiveservices.azure.com, and CUSTOMVISION_KEY unless you use an identity",
}

// requireService is an error if there is no endpoint.
func requireService(service *customvision.Client) error {
	if service == nil {
		return errNoEndpoint
	}
	return nil
}
