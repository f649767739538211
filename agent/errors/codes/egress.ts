// Error codes of the egress table (docs/egress.md).
import { code } from '../code-info.ts';

export const EGRESS_CODES = {
  egress_not_loaded: code(
    5,
    true,
    'the egress table is not in the kernel as it should be, so everything that leaves the machine is dropped',
    'systemctl reload nftables.service, then find out what took the table away',
  ),
  egress_central_unknown: code(
    3,
    true,
    'nothing that only root can write says where Central Command is, so no door to it is open',
    'set central_url in the configuration, or put the provisioning files where only root writes (docs/egress.md)',
  ),
  egress_name_unresolved: code(
    3,
    true,
    'the name of Central Command has no address here, and none is known from before, so no door to it is open',
    'check the name servers of the site: resolvectl status',
  ),
  egress_never_refreshed: code(
    3,
    true,
    'nothing has opened the egress table since this machine started',
    'see the journal of compliance-agent-egress.service; without that unit nothing is closed by the agent',
  ),
};
