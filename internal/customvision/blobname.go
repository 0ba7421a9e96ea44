package customvision

import (
	"fmt"
	"strings"
)

// BlobName returns the name that Custom Vision gives an exported model in the
// project's container: "{projectId} - {iterationId}.{platform}". The name has no
// flavor, so two flavors of one platform share a name.
func BlobName(projectID, iterationID, platform string) string {
	return projectID + " - " + iterationID + "." + platform
}

// ParseBlobName splits a name that BlobName could have returned. GUIDs are
// accepted as by ParseID and returned in canonical form. A platform consists of
// letters and digits and is returned as it is written. Any other name is an
// error.
func ParseBlobName(name string) (projectID, iterationID, platform string, err error) {
	project, rest, _ := strings.Cut(name, " - ")
	iteration, platform, _ := strings.Cut(rest, ".")
	projectID, err = ParseID(project)
	if err == nil {
		iterationID, err = ParseID(iteration)
	}
	if err != nil || platform == "" || strings.ContainsFunc(platform, notAlphanumeric) {
		return "", "", "", fmt.Errorf("the blob's name isn't \"{projectId} - {iterationId}.{platform}\": no export of Custom Vision")
	}
	return projectID, iterationID, platform, nil
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
