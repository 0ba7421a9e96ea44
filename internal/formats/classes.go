package formats

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/ondisk"
)

// negativeTag is the type of the tag that says: none of the others.
const negativeTag = "Negative"

// maxLabel leaves room in a file's name, in bytes.
const maxLabel = 150

// classesOf gives tags their index: in the order of their labels, byte by byte, which is
// the order in which programs read folders. It depends on neither the order of the tags
// nor how many pictures they have.
func classesOf(tags []customvision.Tag) []Class {
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b customvision.Tag) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	labels, names := map[string]bool{}, map[string]int{}
	for _, t := range tags {
		names[t.Name]++
	}
	list := make([]Class, 0, len(tags))
	for _, t := range tags {
		c := Class{Name: t.Name, Label: label(t.Name), TagID: t.ID, Type: t.Type}
		if names[t.Name] > 1 {
			c.Name += " (" + t.ID + ")"
		}
		if c.Label == "" || len(c.Label) > maxLabel || labels[folded(c.Label)] {
			c.Label = shortened(c.Label) + "~" + label(t.ID)
		}
		labels[folded(c.Label)] = true
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Class) int { return strings.Compare(a.Label, b.Label) })
	for i := range list {
		list[i].Index = i
	}
	return list
}

// folded is a label without letter case, as some file systems compare names. Some letters
// have several lower-case forms.
func folded(label string) string { return strings.ToLower(strings.ToUpper(label)) }

// label is a name of a file or folder for any text: letters, digits, spaces, and - _ . stay
// as they are, what else there is becomes % and two hexadecimal digits for each byte, as in
// an URL. A name that a system keeps for itself, and what stands at a place where a
// file system doesn't take it, becomes such, too. So ~ is free to mark what was added.
func label(text string) string {
	var b strings.Builder
	last := len(strings.TrimRight(text, ". "))
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		plain := unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_", r) || (r == '.' || r == ' ') && i > 0 && i < last
		if plain && r != utf8.RuneError {
			b.WriteString(text[i : i+size])
			continue
		}
		escape(&b, text[i:i+size])
	}
	out := b.String()
	if place, err := ondisk.Path(out); out != "" && (err != nil || place != out) && len(out) <= maxLabel { // such as CON
		b.Reset()
		_, size := utf8.DecodeRuneInString(out)
		escape(&b, out[:size])
		return b.String() + out[size:]
	}
	return out
}

func escape(b *strings.Builder, bytes string) {
	const digits = "0123456789ABCDEF"
	for _, c := range []byte(bytes) {
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
}

// shortened is a label that leaves room for a tag's id.
func shortened(label string) string {
	if len(label) <= maxLabel {
		return label
	}
	at := maxLabel
	for !utf8.RuneStart(label[at]) {
		at--
	}
	if percent := strings.LastIndexByte(label[:at], '%'); percent > at-3 {
		at = percent
	}
	return label[:at]
}
