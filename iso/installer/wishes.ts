// What is asked of this start: by its kernel command line first, then by the signed file of the stick. Pure.
import type { OpenedPartner } from '../../agent/trust/partner-file.ts';
import type { Wishes } from './choose-disk.ts';
import type { KernelOptions } from './kernel-options.ts';
import { MIN_DISK_BYTES } from './layout.ts';
import { installIdOf, type InstallerSettings } from './settings.ts';

export function wishesOf(
  settings: InstallerSettings,
  { partner, digest }: OpenedPartner,
  typed: KernelOptions,
): Wishes {
  const { install } = partner;
  return {
    disk: typed.disk ?? install?.disk ?? null,
    reinstall: typed.reinstall ? 'person' : install?.reinstall === 'yes' ? 'stick' : 'no',
    installId: installIdOf(settings, digest),
    bootLabel: settings.boot_label,
    minDiskBytes: MIN_DISK_BYTES,
  };
}
