// Error codes of the store.
import { code } from '../code-info.ts';

export const STORE_CODES = {
  store_corrupt: code(
    5,
    false,
    'the database is damaged: its structure, a row, or the evidence log in it does not hold together',
    'an enrolled appliance sets it aside and goes on in a new epoch; else keep the file, restore a backup, or enrol anew',
  ),
  store_full: code(
    5,
    true,
    'the disk under the state directory is full',
    'free disk space; the agent then goes on by itself',
  ),
  disk_low: code(
    5,
    true,
    'too little of the disk under the state directory is free',
    'free disk space; until then less is recorded: digests not at all, heartbeats less often, every change as before',
  ),
  evidence_cap: code(
    5,
    true,
    'the evidence on the appliance has nearly reached its limit',
    'let the upload through, so that old entries can be pruned, or raise evidence_cap_mib; until then less is recorded, every change as before',
  ),
  store_read_only: code(
    5,
    true,
    'the state directory or a file in it cannot be written',
    'mount it writable and give the agent’s user the directory and its files',
  ),
  store_io: code(
    5,
    true,
    'the disk under the state directory fails to read or write',
    'look at the kernel log for disk errors and quotas',
  ),
  store_locked: code(
    5,
    true,
    'another agent process uses the state directory',
    'stop the other process (systemctl status compliance-agent), or choose another state_dir',
  ),
  store_no_locks: code(
    5,
    true,
    'the file system under the state directory gives no locks, and without them two processes could write at once',
    'put the state directory on a local file system (ext4, xfs, btrfs), or start the lock service of the network mount',
  ),
  store_busy: code(
    5,
    true,
    'another process holds the database for too long',
    'try again; close tools that read the file',
  ),
  store_too_new: code(
    5,
    false,
    'the database was written by a newer agent whose format this one cannot use',
    'run the newer agent version again',
  ),
  store_missing: code(
    5,
    true,
    'there is no database in the state directory yet',
    'start the agent once, or name its state_dir',
  ),
  backup_exists: code(2, false, 'the file that a backup is to be written to exists', 'choose a new file name'),
};
