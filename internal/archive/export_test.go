package archive

// What the tests outside of the package need.
const LayoutVersion = layoutVersion

var ParseManifest = parseManifest
