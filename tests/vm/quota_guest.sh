#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Read by sandbox_guest.sh: the workspace's quota on ext4, as root.
who=quota
for module in quota_tree quota_v2; do busybox insmod /bin/$module.ko; done
busybox insmod /bin/brd.ko rd_size=65536
mkfs.ext4 -q -O quota,project -E quotatype=prjquota /dev/ram0
mkdir -p /mnt/q /tmp/w
mount -t ext4 -o prjquota /dev/ram0 /mnt/q
mkdir -p /mnt/q/w/deep/er
echo old > /mnt/q/w/deep/er/file
busybox chown -R 1000:1000 /mnt/q/w
busybox ln -s file /mnt/q/w/deep/er/link

projects() { # NAME: what lsattr finds that is of a project
  echo "PROJECT $1 $({ lsattr -pd /mnt/q/w; lsattr -pR /mnt/q/w; } 2>/dev/null | busybox grep -c -E '^ *[1-9][0-9]* +[^ ]+ /')"
  echo "RECORDS $1 $(ls /var/lib/aispm/projects 2>/dev/null | busybox wc -l)"
}
limited() { # NAME COMMAND: in the workspace, 8 MiB
  limited_name=$1; shift
  one "$limited_name" --workspace /mnt/q/w --workspace-limit 8MiB -- sh -c "$*"
  projects "$limited_name"
}
fill='busybox dd if=/dev/zero of=/mnt/q/w/deep/er/big bs=64k'
limited full "$fill; exit 3"
echo "SIZE full $(busybox stat -c %s /mnt/q/w/deep/er/big)"
/bin/setpriv --reuid=1000 --regid=1000 --clear-groups busybox dd if=/dev/zero of=/mnt/q/w/deep/second bs=64k count=160
echo "WRITE after $?"
one small --workspace /mnt/q/w --workspace-limit 8MiB -- echo ran
projects small
busybox rm -f /mnt/q/w/deep/second /mnt/q/w/deep/er/big
limited fits 'mkdir /mnt/q/w/new && busybox dd if=/dev/zero of=/mnt/q/w/new/some bs=64k count=64 && busybox rm -r /mnt/q/w/new'
limited emptied "$fill; busybox rm /mnt/q/w/deep/er/big"
limited leave "chattr -p 0 /mnt/q/w/deep/er/file /mnt/q/w/deep; echo chattr \$?; $fill; busybox rm /mnt/q/w/deep/er/big"
chattr -p 77 /mnt/q/w/deep/er/file
limited taken 'echo ran'
chattr -p 0 /mnt/q/w/deep/er/file
one tmpfs --workspace /tmp/w --workspace-limit 8MiB -- echo ran
projects tmpfs
one none --workspace-limit 8MiB -- echo ran
projects none

start() { # leaves $killed
  aispm-run --offline --workspace /mnt/q/w --workspace-limit 8MiB -- sh -c 'echo up > /mnt/q/w/up; sleep 1000' & killed=$!
  while [ ! -e /mnt/q/w/up ]; do sleep 1; done
  busybox rm /mnt/q/w/up
}
start
projects first
limited busy 'echo ran'
kill -9 $killed
sleep 1
projects killed
limited again 'echo again'
start
kill -9 $killed
sleep 1
projects killed2
one plain -- true
sleep 2
projects swept
cd /mnt/q
aispm-run doctor > /tmp/out 2>&1
busybox sed "s/^/OUT quota doctor /" /tmp/out
cd /
