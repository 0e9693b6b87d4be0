// What a file is, by its first bytes, and whether the browser can show it.
const SHOWN = ["png", "jpeg", "gif", "webp", "bmp", "avif"];

export async function kindOf(file) {
  const head = new Uint8Array(await file.slice(0, 1024).arrayBuffer());
  const text = String.fromCharCode(...head);
  const kind = named(text);
  return { kind, shown: SHOWN.includes(kind), document: kind === "pdf" || kind === "tiff" };
}

function named(text) {
  if (text.startsWith("\x89PNG")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("GIF8")) return "gif";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "webp";
  if (text.startsWith("BM")) return "bmp";
  if (/^....ftyp(avif|avis)/s.test(text)) return "avif";
  if (/^....ftyp/s.test(text)) return "heic";
  if (/^(II\*\0|MM\0\*|II\+\0|MM\0\+)/.test(text)) return "tiff";
  if (text.includes("%PDF-")) return "pdf";
  return "other";
}

// Largest size in MiB. A TIFF may be a picture or a document: the server decides.
export function largest({ kind }, offer) {
  if (kind === "pdf") return offer.max_document_mib;
  return kind === "tiff" ? Math.max(offer.max_document_mib, offer.max_upload_mib) : offer.max_upload_mib;
}
