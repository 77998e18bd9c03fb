/** Which of the app's instances this is. */
export function instanceName(): string {
  return process.env.INSTANCE_NAME ?? 'A';
}
