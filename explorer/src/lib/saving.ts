/** Figures and tables as files. */
import { original as ofStudy } from "./hidden";

export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The figure with its colours written into it: they come from the page's style sheet, which a file does not have. */
function written(figure: SVGSVGElement): string {
  const copy = figure.cloneNode(true) as SVGSVGElement;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const originals = [figure, ...figure.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, k) => {
    const original = originals[k];
    if (!original) return;
    const style = getComputedStyle(original);
    for (const property of ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline", "opacity"]) element.setAttribute(property, style.getPropertyValue(property));
  });
  return new XMLSerializer().serializeToString(copy);
}

export function saveSvg(name: string, figure: SVGSVGElement): void {
  save(`${name}.svg`, new Blob([written(figure)], { type: "image/svg+xml" }));
}

/** The same as pixels, twice as fine as on the screen, on the page's own ground. */
export function saveFigurePng(name: string, figure: SVGSVGElement): void {
  const { width, height } = figure.getBoundingClientRect();
  const address = URL.createObjectURL(new Blob([written(figure)], { type: "image/svg+xml" }));
  const image = new Image(width, height);
  image.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(2 * width));
    canvas.height = Math.max(1, Math.round(2 * height));
    const context = canvas.getContext("2d");
    if (context) {
      context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--surface");
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      savePng(name, canvas);
    }
    URL.revokeObjectURL(address);
  };
  image.src = address;
}

/** What a table shows, cell by cell. */
export function cellsOf(table: HTMLTableElement): (string | number)[][] {
  return [...table.rows].map((row) =>
    [...row.cells].map((cell) => {
      const text = (cell.dataset["value"] ?? cell.textContent).replace(/\s+/g, " ").trim();
      return text !== "" && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    }),
  );
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
    const name = ofStudy(value);
    const plain = FORMULA.test(name) ? `'${name}` : name;
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
