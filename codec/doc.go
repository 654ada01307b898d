// Package codec turns Go values into bytes and back.
package codec
