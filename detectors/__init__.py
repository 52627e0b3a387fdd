"""They measure and never alert: recordings, frames and series in, derived readings out."""
