// Package status is the function behind the HTTP trigger that shows the page. The host
// forwards or proxies its requests. Start reading at Path; the pages are those of package
// page.
package status

// Name is the name of the function and of its folder.
const Name = "status"

// Path is where the host serves the function, with the app's route prefix.
func Path(routePrefix string) string {
	if routePrefix == "" {
		return "/" + Name
	}
	return "/" + routePrefix + "/" + Name
}
