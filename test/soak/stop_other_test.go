//go:build !unix

package soak

import "errors"

func stopMyself() error { return errors.ErrUnsupported }
func awaitWaking()      {}
