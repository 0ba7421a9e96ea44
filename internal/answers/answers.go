// Package answers remembers what answers of a service say, so that an answer which is the
// same as the last one to its question isn't decoded again. A sweep asks the same questions
// as the sweep before, and nearly all answers are the same.
package answers

import (
	"hash/maphash"
	"maps"
	"sync"
)

// Memory remembers what the last answer to each question says. The zero value is empty and
// ready to use. It is safe for concurrent use.
type Memory[T any] struct {
	mu   sync.Mutex
	last map[string]last[T] // by the question
}

type last[T any] struct {
	sum  uint64
	size int
	says T
}

// seed is another one in each process, so nobody can choose two answers with one sum.
var seed = maphash.MakeSeed()

// Read is what an answer says: what is remembered if its bytes are those of the last answer
// to the question, else what read makes of it. Callers share it, so it must not be changed.
// An answer that can't be read is not remembered.
//
// Two answers count as the same if their sizes and 64 bits of a hash are: by accident that
// happens once in 10^19 changes.
func (m *Memory[T]) Read(question string, answer []byte, read func() (T, error)) (T, error) {
	sum := maphash.Bytes(seed, answer)
	m.mu.Lock()
	known, ok := m.last[question]
	m.mu.Unlock()
	if ok && known.sum == sum && known.size == len(answer) {
		return known.says, nil
	}
	says, err := read()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		delete(m.last, question)
		return says, err
	}
	if m.last == nil {
		m.last = map[string]last[T]{}
	}
	m.last[question] = last[T]{sum, len(answer), says}
	return says, nil
}

// Keep forgets all questions but these.
func (m *Memory[T]) Keep(asked func(question string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.last, func(question string, _ last[T]) bool { return !asked(question) })
}
