/** What the commands of the program are called. */

const COMMAND_NAMES = ['serve', 'check', 'nodes', 'drain', 'activate', 'remove', 'inspect'] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

/** The command of this name, or null when there is none. */
export function findCommand(text: string): CommandName | null {
  return COMMAND_NAMES.find((name) => name === text) ?? null;
}
