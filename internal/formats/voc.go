package formats

import (
	"encoding/xml"
	"fmt"
	"math"
	"path"
	"strings"
	"unicode/utf8"
)

// voc writes JPEGImages, an XML for each picture in Annotations, and the names of each
// part's pictures in ImageSets/Main, as Pascal VOC has it:
// http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc. Boxes are in whole pixels that
// are counted from 1, the last ones included, so they are exact to half a pixel.
type voc struct {
	*job
	sets map[string]*draft
}

type vocAnnotation struct {
	XMLName   xml.Name    `xml:"annotation"`
	Folder    string      `xml:"folder"`
	FileName  string      `xml:"filename"`
	Database  string      `xml:"source>database"`
	Width     int         `xml:"size>width"`
	Height    int         `xml:"size>height"`
	Depth     int         `xml:"size>depth"`
	Segmented int         `xml:"segmented"`
	Objects   []vocObject `xml:"object"`
}

type vocObject struct {
	Name      string `xml:"name"`
	Pose      string `xml:"pose"`
	Truncated int    `xml:"truncated"`
	Difficult int    `xml:"difficult"`
	Left      int    `xml:"bndbox>xmin"`
	Top       int    `xml:"bndbox>ymin"`
	Right     int    `xml:"bndbox>xmax"`
	Bottom    int    `xml:"bndbox>ymax"`
}

func (v *voc) refuses(p *plan) error { return onlyDetection(p, VOC) }

func (v *voc) begin(j *job) error {
	v.job = j
	var err error
	v.sets, err = j.eachPart()
	return err
}

func (v *voc) folder(*picture) string { return "JPEGImages" }

func (v *voc) label(pic *picture) error {
	name := label(pic.id)
	if extension := path.Ext(pic.name); extension != ".jpg" {
		v.note("have the extension " + extension + ", and some readers of VOC expect .jpg")
	}
	a := vocAnnotation{Folder: "JPEGImages", FileName: pic.name, Database: v.record.Project.Name, Width: pic.width, Height: pic.height, Depth: 3}
	for _, b := range pic.boxes {
		o := vocObject{Name: vocName(v.record.Classes[b.class]), Pose: "Unspecified"}
		o.Left, o.Right = pixels(b.left, b.width, pic.width)
		o.Top, o.Bottom = pixels(b.top, b.height, pic.height)
		a.Objects = append(a.Objects, o)
	}
	text, err := xml.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := v.to.write("Annotations/"+name+".xml", append(text, '\n')); err != nil {
		return err
	}
	_, err = fmt.Fprintln(v.sets[pic.part], name)
	return err
}

func (v *voc) end() error {
	for _, p := range v.record.Parts {
		if err := v.to.keep(v.sets[p.Name], "ImageSets/Main/"+p.Name+".txt"); err != nil {
			return err
		}
	}
	return nil
}

// pixels are the first and the last pixel of a stretch, counted from 1. Of a stretch that
// comes to none, it is the pixel in which its middle lies.
func pixels(start, length float64, of int) (first, last int) {
	first, last = int(math.Round(start*float64(of)))+1, int(math.Round((start+length)*float64(of)))
	if first > last {
		first = min(int((start+length/2)*float64(of))+1, of)
		last = first
	}
	return first, last
}

// vocName is a class's name where XML can hold it and readers keep it, else its label.
func vocName(c Class) string {
	for _, r := range c.Name {
		if r < ' ' || r == 0xfffe || r == 0xffff || r == utf8.RuneError {
			return c.Label
		}
	}
	if strings.TrimSpace(c.Name) != c.Name {
		return c.Label
	}
	return c.Name
}
