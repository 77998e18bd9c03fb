'use server';
/** The server actions: forms call them with and without JavaScript. */
import { SessionUnavailableError } from '@memsession/client';
import { redirect } from 'next/navigation';
import { readField, readPath } from '@/lib/forms';
import { getSession, withSession } from '@/lib/session';
import { findProduct } from '@/lib/shop';

export async function addToCart(form: FormData): Promise<void> {
  const product = findProduct(readField(form, 'item'));
  if (product === null) return;
  const session = await getSession();
  // Two tabs may do this at the same time: the function runs again on what the other one has saved.
  await session.update((data) => (data.cart = [...(data.cart ?? []), product.id]));
}

export async function removeFromCart(form: FormData): Promise<void> {
  const item = readField(form, 'item');
  const session = await getSession();
  await session.update((data) => {
    const last = data.cart?.lastIndexOf(item) ?? -1;
    if (last !== -1) data.cart = data.cart?.toSpliced(last, 1) ?? [];
  });
}

/** A login by name alone: this shop trusts everybody. */
export async function logIn(form: FormData): Promise<void> {
  const name = readField(form, 'name');
  if (name === '') redirect('/login?missing');
  const session = await getSession();
  session.name = name;
  // An id that somebody may have known before the login is worth nothing after it.
  await session.regenerate();
  redirect(readPath(readField(form, 'next')));
}

export async function logOut(): Promise<void> {
  const session = await getSession();
  try {
    await session.destroy();
  } catch (error) {
    // The cookies are cleared; the nodes are told with the next request that reaches them.
    if (!(error instanceof SessionUnavailableError)) throw error;
  }
  redirect('/?bye');
}

export async function countOnce(): Promise<void> {
  const session = await getSession();
  await session.update((data) => (data.count = (data.count ?? 0) + 1));
}

/** The explicit way: read, change, save. */
export async function saveNote(form: FormData): Promise<void> {
  const session = await getSession();
  session.note = readField(form, 'note');
  await session.save();
}

/** The other way: withSession() saves when the action is done, also when it redirects. */
export const saveNoteAndLeave = withSession(async (form: FormData): Promise<void> => {
  const session = await getSession();
  session.note = readField(form, 'note');
  redirect('/places/server-action?saved');
});
