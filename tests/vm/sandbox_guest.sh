#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In the guest: limits of aispm-run by control groups version 2, as root and as an ordinary user with a delegated group.
# Prints each run's exit code, what it said and its events.
if [ "$1" != inside ]; then
  # The first root of a kernel cannot be left by pivot_root, so everything moves to a tmpfs.
  mkdir /new
  mount -t tmpfs -o mode=755 new /new
  for entry in /bin /sbin /lib /lib64 /usr /etc; do [ ! -e "$entry" ] || busybox cp -a "$entry" /new/; done
  mkdir -p /new/proc /new/sys /new/dev /new/tmp /new/run /new/home/ann
  exec busybox switch_root /new /bin/sandbox_guest.sh inside
fi
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup /sys/fs/cgroup
busybox chmod 1777 /tmp
busybox chown 1000:1000 /home/ann
echo "ann:x:1000:1000::/home/ann:/bin/sh" >> /etc/passwd
echo 1 > /proc/sys/kernel/printk  # only what the runs say: memory limits that are hit would stand in between
ip link set lo up
export PATH=/bin HOME=/home/ann

burn='end=$(( $(busybox date +%s) + 3 )); while [ $(busybox date +%s) -lt $end ]; do i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; done; times'
one() { # NAME OPTIONS... -- COMMAND
  name=$1; shift
  events=/tmp/$who-$name.jsonl
  if [ "$who" != user ]; then
    aispm-run --offline --events "$events" "$@" > /tmp/out 2>&1; code=$?
  else
    # The layout of systemd's user@.service: the caller's own group, beside which it may make others.
    echo 0 > /sys/fs/cgroup/user/own/cgroup.procs
    events=/home/ann/$name.jsonl
    /bin/setpriv --reuid=1000 --regid=1000 --clear-groups aispm-run --offline --events "$events" "$@" > /tmp/out 2>&1; code=$?
  fi
  echo
  echo "RUN $who $name $code"
  busybox sed "s/^/OUT $who $name /" /tmp/out
  busybox grep -h -E 'sandbox_(start|exit|denial)' "$events" | busybox sed "s/^/EVENT $who $name /"
}
all() {
  one memory --memory 32MiB -- busybox tail -c 400000000 /dev/zero
  one pids --pids 12 -- sh -c 'i=0; while [ $i -lt 30 ]; do sleep 3 & i=$((i+1)); done; wait'
  one cputime --cpu-time 1s -- sh -c 'while :; do :; done'
  one cpus --cpus 0.5 -- sh -c "$burn"
  one nothing -- sh -c 'exit 7'
}
who=root
all
for name in memory pids cpu; do echo "+$name" > /sys/fs/cgroup/cgroup.subtree_control; done
mkdir -p /sys/fs/cgroup/user/own
for file in . cgroup.procs cgroup.subtree_control cgroup.threads own own/cgroup.procs own/cgroup.subtree_control; do
  busybox chown 1000:1000 /sys/fs/cgroup/user/$file
done
who=user
all
# Of an ordinary user the groups bear the process's number, and must be five seconds old.
/bin/setpriv --reuid=1000 --regid=1000 --clear-groups aispm-run --offline -- sleep 1000 & killed=$!
sleep 3
kill -9 $killed
sleep 6
echo "KILLED user $(ls -d /sys/fs/cgroup/user/aispm-run-* 2>/dev/null | busybox wc -l)"
one swept -- true
mkdir -p /home/ann/w
busybox chown 1000:1000 /home/ann/w
one quota --workspace /home/ann/w --workspace-limit 8MiB -- echo ran
sleep 1
. /bin/quota_guest.sh
sleep 1
echo "LEFT $(ls -d /sys/fs/cgroup/aispm.slice/aispm-* /sys/fs/cgroup/user/aispm-* 2>/dev/null | busybox wc -l)"
echo "AISPM-VM-EXIT=0"
poweroff -f
