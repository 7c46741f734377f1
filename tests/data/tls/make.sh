#!/bin/sh
# Makes the certificates of the TLS tests anew. They are good for a hundred years and for nothing but these tests.
set -eu
cd "$(dirname "$0")"
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1-key.pem" -out "$1.pem" \
        -days 36500 -subj "/CN=Larum test authority $1" -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
}
# name, extensions, first day, last day
leaf() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1-key.pem" -out "$1.csr" -subj "/CN=$1"
    : > index.txt
    printf '[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nrand_serial=yes\n[p]\ncommonName=supplied\n[x]\n%s\n' "$2" > ca.conf
    openssl ca -batch -notext -config ca.conf -extensions x -cert authority.pem -keyfile authority-key.pem \
        -in "$1.csr" -out "$1.pem" -startdate "$3" -enddate "$4"
    rm -f "$1.csr" ca.conf index.txt* [0-9A-F]*.pem
}
authority authority
leaf server "subjectAltName=DNS:localhost,IP:127.0.0.1" 20260101000000Z 21260101000000Z
leaf expired "subjectAltName=DNS:localhost,IP:127.0.0.1" 20200101000000Z 20200201000000Z
leaf other-name "subjectAltName=DNS:example.com" 20260101000000Z 21260101000000Z
leaf client "extendedKeyUsage=clientAuth" 20260101000000Z 21260101000000Z
rm authority-key.pem
