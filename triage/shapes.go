package triage

import "regexp"

// numberShapes are ways to write a number that say what it is.
var numberShapes = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"below zero", regexp.MustCompile(`(?:^|[\s(:=])[-−–]\s?\d|\b(?:minus|negat\pL*)\b`)},
	{"clock", regexp.MustCompile(`\b(?:[01]?\d|2[0-3])[:h.][0-5]\d\b|\b\d{1,2}\s?(?:am|pm|uhr)\b`)},
	{"date", regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}(?:[./]\d{2,4})?\b|\b(?:0?[1-9]|1[0-2])[/.-]20[2-4]\d\b`)},
	{"weight", regexp.MustCompile(`\d\s?(?:kgs?|g|lbs?|gram\pL*|kilo\pL*|oz)\b`)},
	{"part of", regexp.MustCompile(`\b\d+\s?(?:of|out of|von|de|van|z|sur|/)\s?\d+\b`)},
	{"sum", regexp.MustCompile(`\+\s?\d`)},
	{"money", regexp.MustCompile(`[$€£]\s?\d|\d\s?[$€£]|\b\d+\s?(?:usd|eur|pln|gbp|dollars?|euros?)\b`)},
	{"percent", regexp.MustCompile(`\d\s?%`)},
	{"bin", regexp.MustCompile(`\b[a-z]{1,2}\d?-\d{1,3}(?:-[a-z\d]{1,3}){0,3}\b`)},
	{"e-mail", regexp.MustCompile(`\b\w+@\w+`)},
	{"link", regexp.MustCompile(`https?:|www\.`)},
	{"question", regexp.MustCompile(`\?`)},
}
