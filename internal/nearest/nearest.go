// Package nearest finds the word that somebody most likely meant. It knows no
// words of its own.
package nearest

import "strings"

// most is how many letters may be added, left out, changed, or swapped with their
// neighbour. In short words that is one in three.
const most = 2

// Of returns the word of a list that differs from word by a slip of the keyboard,
// in any letter case: one or two letters. Of several it is the closest, of equally
// close ones the first. It is "" if there is none.
func Of(word string, among []string) string {
	best, least := "", min(most, len(word)/3)+1
	word = strings.ToLower(word)
	for _, candidate := range among {
		if d := distance(word, strings.ToLower(candidate), least); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the letters that are added, left out, changed, or swapped with
// their neighbour between a and b ("optimal string alignment"). It stops counting at
// enough.
func distance(a, b string, enough int) int {
	if len(a)-len(b) >= enough || len(b)-len(a) >= enough {
		return enough
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	row := rows[0]
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last := rows[(i+1)%3], row // the rows of two letters and of one letter before
		row = rows[i%3]
		row[0] = i
		lowest := i
		for j := 1; j <= len(b); j++ {
			changed := last[j-1]
			if a[i-1] != b[j-1] {
				changed++
			}
			row[j] = min(changed, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			lowest = min(lowest, row[j])
		}
		if lowest > enough {
			return enough
		}
	}
	return row[len(b)]
}
