// Error codes of the installer and of the partner's file that it is built for (docs/installer.md).
import { code } from '../code-info.ts';

export const INSTALLER_CODES = {
  partner_invalid: code(
    4,
    false,
    "a partner's file contradicts itself",
    'write it anew with central-command partner draft, sign and write',
  ),
  installer_settings_invalid: code(
    2,
    false,
    'what the installer was built with cannot be used',
    'build the image anew',
  ),
  installer_no_disk: code(
    3,
    true,
    'no internal disk may be installed on',
    'look at the list: each disk stands there with what is against it',
  ),
  installer_several_disks: code(
    3,
    true,
    'more than one internal disk could be installed on',
    'take the other disks out, or name one: installer.disk=NAME on the kernel command line, or install.disk in partner.json',
  ),
  installer_disk_not_there: code(
    3,
    true,
    'the disk that was named is not there, or may not be installed on',
    'look at the list, and name another one or none',
  ),
  installer_already_installed: code(
    3,
    false,
    'the disk holds a finished install; nothing was changed',
    'take the stick out and switch the machine on again; to erase what is there, start once with installer.reinstall=yes',
  ),
  installer_disk_changed: code(
    3,
    true,
    'the disks changed during the countdown',
    'leave disks and sticks as they are; it looks again by itself',
  ),
  installer_disk_in_use: code(
    3,
    true,
    'a program of this machine uses the disk',
    'switch the machine off and on again with the stick',
  ),
  installer_step_failed: code(
    5,
    true,
    'a step of the installation failed; the disk counts as not installed',
    'it begins again by itself; if it stays, the disk is broken: replace it',
  ),
};
