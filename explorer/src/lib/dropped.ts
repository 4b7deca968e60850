/** Files in what was dropped; a folder gives those in it and below, `most` of them at most. */

async function inside(entry: FileSystemEntry, files: File[], most: number): Promise<void> {
  if (files.length >= most) return;
  if (entry.isFile) {
    const file = await new Promise<File | undefined>((done) => (entry as FileSystemFileEntry).file(done, () => done(undefined)));
    if (file) files.push(file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives a hundred entries at a time, and none when there are no more.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done) => reader.readEntries(done, () => done([])));
    if (!some.length || files.length >= most) return;
    for (const next of some) await inside(next, files, most);
  }
}

export async function droppedFiles(data: DataTransfer, most: number): Promise<File[]> {
  // Entries are taken before anything is awaited: the browser empties the list when the event is over.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...data.files];
  const files: File[] = [];
  for (const entry of entries) if (entry) await inside(entry, files, most + 1);
  return files.length ? files : plain;
}
