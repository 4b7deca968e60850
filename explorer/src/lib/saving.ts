/** Figures and tables as files. */

export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveSvg(name: string, figure: SVGSVGElement): void {
  const copy = figure.cloneNode(true) as SVGSVGElement;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  // Colours come from the page's style sheet, which the file does not have: written down as they are now.
  const originals = [figure, ...figure.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, k) => {
    const original = originals[k];
    if (!original) return;
    const style = getComputedStyle(original);
    for (const property of ["fill", "stroke", "font-family", "font-size", "opacity"]) element.setAttribute(property, style.getPropertyValue(property));
  });
  save(`${name}.svg`, new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
}

export function savePng(name: string, canvas: HTMLCanvasElement): void {
  canvas.toBlob((blob) => {
    if (blob) save(`${name}.png`, blob);
  });
}

const FORMULA = /^[=+\-@\t\r]/;

/** A table for a spreadsheet; a text that it would run as a formula is marked as text. */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number): string => {
    if (typeof value === "number") return String(value);
    const plain = FORMULA.test(value) ? `'${value}` : value;
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
