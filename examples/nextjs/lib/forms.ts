/** Reading forms. */

const LONGEST_TEXT = 200;

/** A text field without white space around it; empty when there is none. */
export function readField(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value.trim().slice(0, LONGEST_TEXT) : '';
}

/** A path of this site; `/` for everything else, so that no link can lead a visitor away after the login. */
export function readPath(text: string): string {
  return /^\/(?![/\\])[\w\-/?=&]*$/.test(text) ? text : '/';
}
