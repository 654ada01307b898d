// Package style colours words for people who read on a terminal.
package style

import "github.com/fatih/color"

// Style says how words are shown. The zero value leaves them as they are.
type Style struct{ on bool }

// New makes a style that colours or does not.
func New(on bool) Style { return Style{on} }

// Good is for what is as it should be.
func (s Style) Good(text string) string { return s.paint(text, color.FgGreen) }

// Notice is for what somebody may want to look at.
func (s Style) Notice(text string) string { return s.paint(text, color.FgYellow) }

// Bad is for what somebody must look at.
func (s Style) Bad(text string) string { return s.paint(text, color.FgRed) }

// Strong is for headings.
func (s Style) Strong(text string) string { return s.paint(text, color.Bold) }

// Faint is for what matters least.
func (s Style) Faint(text string) string { return s.paint(text, color.Faint) }

func (s Style) paint(text string, attribute color.Attribute) string {
	if !s.on || text == "" {
		return text
	}
	c := color.New(attribute)
	c.EnableColor()
	return c.Sprint(text)
}
