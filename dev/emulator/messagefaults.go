package emulator

import (
	"fmt"
	"slices"
	"time"
)

// NotificationFault is something that can go wrong with a notification.
type NotificationFault string

// The faults of a notification.
const (
	Drop           NotificationFault = "drop"            // it never reaches the queue
	Double         NotificationFault = "double"          // it reaches the queue twice
	Delay          NotificationFault = "delay"           // it comes later
	Reorder        NotificationFault = "reorder"         // n messages are held and sent last first
	Garble         NotificationFault = "garble"          // its text is cut in half
	UnknownType    NotificationFault = "unknown-type"    // its type is Publish, which is not documented
	UnknownVersion NotificationFault = "unknown-version" // its version is 2.0
	NoModelURI     NotificationFault = "no-model-uri"    // modelUri is missing
	Unreachable    NotificationFault = "unreachable"     // the queue can't be reached; the state changes all the same
)

var notificationFaults = []NotificationFault{Drop, Double, Delay, Reorder, Garble, UnknownType, UnknownVersion, NoModelURI, Unreachable}

type messageFault struct {
	kind  NotificationFault
	left  int
	delay time.Duration
}

// FaultNotifications orders a fault for the next n notifications, connection
// tests included. The faults of several calls happen one after the other. Only
// Delay uses delay.
func (s *Server) FaultNotifications(n int, kind NotificationFault, delay time.Duration) error {
	if !slices.Contains(notificationFaults, kind) {
		return fmt.Errorf("there is no notification fault %q: choose one of %v", kind, notificationFaults)
	}
	if kind == Delay && delay <= 0 {
		return fmt.Errorf("a delayed notification needs a delay above zero")
	}
	if n > 0 {
		s.mu.Lock()
		s.faults.messages = append(s.faults.messages, messageFault{kind, n, delay})
		s.mu.Unlock()
	}
	return nil
}

// nextMessageFault takes the next fault. left is the number of faults of that
// kind that remain. The zero fault means none.
func (s *Server) nextMessageFault() messageFault {
	if len(s.faults.messages) == 0 {
		return messageFault{}
	}
	next := &s.faults.messages[0]
	next.left--
	fault := *next
	if fault.left == 0 {
		s.faults.messages = s.faults.messages[1:]
	}
	return fault
}
