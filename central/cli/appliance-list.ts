import type { EnrolmentRow } from '../store/enrolment-table.ts';
import type { Records } from '../service/central.ts';
import { epochStatus } from '../service/confirm-epoch.ts';
import { proposedId } from '../service/confirm-appliance.ts';
import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

export async function listAppliances(o: Common & WithData): Promise<void> {
  await withRecords(o, (records) => {
    const rows = records.store.enrolments.list().map((device) => describe(records, device));
    const cells = rows.map((row) => [
      row.appliance_id ?? `(${row.proposed_id})`,
      row.site_id,
      row.revoked === null ? row.state : 'revoked',
      row.fingerprint,
      row.agent_version,
      when(row.last_checkin_at),
      row.origin === null ? '-' : `${row.origin}${row.epoch_status === 'provisional' ? ' (provisional)' : ''}`,
    ]);
    print(
      o,
      { appliances: rows },
      table(['APPLIANCE', 'SITE', 'STATE', 'FINGERPRINT', 'AGENT', 'LAST CHECK-IN', 'LOG'], cells),
    );
  });
}

function describe({ store }: Records, device: EnrolmentRow) {
  const { appliance_id: applianceId } = device;
  const status = applianceId === null ? null : store.checkins.status(applianceId);
  const binding = applianceId === null ? null : store.appliances.binding(applianceId);
  return {
    appliance_id: applianceId,
    proposed_id: proposedId(device),
    site_id: device.site_id,
    state: device.state,
    revoked: applianceId === null ? null : store.appliances.revoked(applianceId),
    fingerprint: device.fingerprint,
    serial: device.serial,
    approver: device.approver,
    agent_version: status?.agent_version ?? device.agent_version,
    last_claim_at: device.last_claim_at,
    last_checkin_at: status?.last_checkin_at ?? null,
    epoch: binding?.epoch ?? null,
    epoch_status: binding === null ? null : epochStatus(store, binding),
    origin: binding?.origin ?? null,
    order_floor: status?.order_floor ?? null,
    revocations_version: status?.revocations_version ?? null,
    health: status === null ? null : (JSON.parse(status.health) as unknown),
  };
}
