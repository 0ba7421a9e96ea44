package formats

import (
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
)

// box is a box with its class, in shares of the picture as it is displayed.
type box struct {
	class                    int
	region                   string // the service's id
	left, top, width, height float64
}

// displayed is a box, drawn on the picture as it is stored, on the picture as it is
// displayed: EXIF's orientation says which side of what is stored is at the top and which
// at the left.
func (b box) displayed(orientation int) box {
	right, bottom := 1-b.left-b.width, 1-b.top-b.height // the margins on those sides
	left, top := b.left, b.top
	switch orientation {
	case 2:
		b.left = right
	case 3:
		b.left, b.top = right, bottom
	case 4:
		b.top = bottom
	case 5:
		b.left, b.top = top, left
	case 6:
		b.left, b.top = bottom, left
	case 7:
		b.left, b.top = bottom, right
	case 8:
		b.left, b.top = top, right
	}
	if orientation >= 5 {
		b.width, b.height = b.height, b.width
	}
	return b
}

// inside is the box without what lies outside of the picture: sums of shares may come out
// a little above 1, which readers refuse.
func (b box) inside() box {
	b.left, b.width = within(b.left, b.width)
	b.top, b.height = within(b.top, b.height)
	return b
}

// within is the part of a stretch that lies between 0 and 1.
func within(start, length float64) (float64, float64) {
	if start < 0 {
		start, length = 0, length+start
	}
	start = min(start, 1)
	if start+length > 1 {
		length = 1 - start
	}
	return start, max(length, 0)
}

// frame is what a picture says about the frame of its boxes.
type frame int

const (
	upright   frame = iota // it is stored as it is displayed
	silent                 // its size doesn't tell
	displayed              // as it is displayed
	stored                 // as it is stored
)

// frameOf compares the size that the service counts with that of the bytes: of a picture
// that is stored on its side they differ in which is the longer side, if the service looks
// at the picture as it is displayed.
func frameOf(i customvision.Image, f dataset.File) frame {
	switch {
	case f.Orientation <= 1:
		return upright
	case f.Orientation < 5, f.Width == f.Height, i.Width == i.Height:
		return silent
	case (i.Width > i.Height) == (f.Width > f.Height):
		return stored
	}
	return displayed
}
