/** Networks that node addresses may be in, so that nobody makes the bridge connect to anything else. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** All addresses of a name; rejects when there are none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** The system's resolver. */
export const resolveHost: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/** What is wrong with a list like `10.0.0.0/8,fd00::/8`; empty when it is right. */
export function findNetworkProblems(networks: readonly string[]): string[] {
  return networks
    .filter((network) => parseNetwork(network) === null)
    .map((network) => `"${network}" is no network: write 10.0.0.0/8, fd00::/8 or a single address`);
}

/** The networks that were allowed. */
export class Networks {
  readonly #list: BlockList = new BlockList();
  readonly #isEmpty: boolean;
  readonly #resolve: Resolve;

  /** Networks that do not parse are left out. */
  constructor(networks: readonly string[], resolve: Resolve) {
    this.#resolve = resolve;
    const parsed = networks.map(parseNetwork).filter((network) => network !== null);
    this.#isEmpty = parsed.length === 0;
    for (const { address, prefix, family } of parsed) this.#list.addSubnet(address, prefix, family);
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /**
   * The address to connect to, or null when it is not allowed. A name is resolved here, once: whoever owns the
   * name could let it point elsewhere later. Every address it has must be allowed.
   */
  async admit(host: string): Promise<string | null> {
    const addresses = isIP(host) > 0 ? [host] : await this.#resolve(host).catch(() => []);
    const [first] = addresses;
    return first !== undefined && addresses.every((address) => this.#includes(address)) ? first : null;
  }

  #includes(address: string): boolean {
    // An IPv4 address in IPv6 clothes is matched by the rules for IPv4.
    return this.#list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
}

function parseNetwork(
  text: string,
): { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' } | null {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return null;
  const most = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? most : Number(prefixText);
  if (prefixText !== undefined && !/^[0-9]{1,3}$/.test(prefixText)) return null;
  return prefix <= most ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : null;
}
