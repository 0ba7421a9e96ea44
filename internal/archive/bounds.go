package archive

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrTooCostly says that reading a package takes longer than its share of time.
var ErrTooCostly = errors.New("reading it takes longer than a package may")

// What reading one package may cost, so that none keeps others waiting for longer.
// Further bounds stand where they are kept: Options.MaxSize, zipfile.MaxDirectory and
// zipfile.MaxEntries, maxManifestSize, maxPartsList, maxPlaces.
const (
	// maxExpansion is how many times MaxSize the entries of any package may take
	// unpacked. Those of a small one may take freeExpansion bytes, and maxRatio more for
	// each byte that it has.
	maxExpansion  = 4
	freeExpansion = 64 << 20
	maxRatio      = 100

	// defaultShare is the time that judging any package may take, and shareRate how many
	// bytes of it buy a second more.
	defaultShare = 30 * time.Second
	shareRate    = 4 << 20
)

// maxExpanded is how many bytes a package of this size may take unpacked.
func maxExpanded(size, maxSize int64) int64 {
	return min(maxExpansion*maxSize, freeExpansion+maxRatio*size)
}

// within runs what reads a package of this size for its share of time. When that is
// over, the error is ErrTooCostly.
func (a *Archive) within(ctx context.Context, size int64, read func(context.Context) error) error {
	share := a.options.Share + time.Duration(size/shareRate)*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, share, ErrTooCostly)
	defer cancel()
	err := read(ctx)
	if err != nil && context.Cause(ctx) == ErrTooCostly {
		return fmt.Errorf("%w: more than %s", ErrTooCostly, share)
	}
	return err
}
