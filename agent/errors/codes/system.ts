// Error codes of the operating system.
import { code } from '../code-info.ts';

export const SYSTEM_CODES = {
  file_missing: code(5, true, 'a file or its directory does not exist', 'check the path in the message'),
  file_denied: code(
    7,
    true,
    'the operating system denies access to a file',
    "give the agent's user access to the path",
  ),
  file_read_only: code(5, true, 'a file system is mounted read-only', 'check the disk and remount it read-write'),
  file_too_large: code(5, false, 'a file is larger than its limit', 'check what wrote it'),
  file_failed: code(5, true, 'a file cannot be read or written', 'check the disk and the kernel log'),
  file_permissions: code(
    7,
    false,
    'others than its owner can read or change a secret file',
    "chmod 600 the file, chown it to the agent's user, and renew the secret if others may have read it",
  ),
  disk_full: code(5, true, 'a file system has no space left', 'free space on the disk that holds the path'),
};
