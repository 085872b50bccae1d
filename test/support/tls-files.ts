/** A key and its certificate for `localhost` and 127.0.0.1, signed by itself, for tests alone: everybody has the key. */

/** See the head of this file. */
export const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqZ4ySRWczyp3/G1v
66sYOVs3oFb+VOmcS3lvOQvpk/qhRANCAAT/djLgPs0ADMV9KnT3N+Og1va/tC9I
V31B2DzhcgKT2hOdoVpVtQ2kbbTmqDVu4ZbfHkCYzhizR+MQihuSJy/t
-----END PRIVATE KEY-----
`

/** See the head of this file. */
export const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABP92MuA+zQAMxX0q
dPc346DW9r+0L0hXfUHYPOFyApPaE52hWlW1DaRttOaoNW7hlt8eQJjOGLNH4xCK
G5InL+2jTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBQTbuwUwTZFnYmtOCCNACquHsKLWzAKBggqhkjOPQQD
AgNHADBEAiBDYW1FXBbxcm7zJW0IL/4I0hkt+CsKVRaIKJvg8/Uy/gIgbYZAfBT3
Vrhhb/5/FrekknMKVzOFsAliMm2qWq9PNtc=
-----END CERTIFICATE-----
`
