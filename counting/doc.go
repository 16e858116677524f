// Package counting says what to count next: the positions where a minute of
// counting finds the most expected loss, with a floor of coverage, so that no
// position is forgotten, and a small share of random controls, so that what the
// ranking finds can be measured without bias. Pure: no I/O, no clock, and the
// same answer for the same positions in any order.
package counting
