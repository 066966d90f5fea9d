"""Files of every format with the same text."""

import io
import zipfile

import docx

TEXT = "# Delivery\n\nOrders arrive within three working days.\n\n## Returns\n\nSend it back."

HTML = """<!doctype html><html><head><title>T</title><style>p {}</style></head><body>
<nav><a href="/">Home</a></nav><script>var x = "<p>no</p>";</script>
<main><h1>Delivery</h1><div>Orders arrive <b>within</b> three
 working days.</div><h2>Returns</h2><ul><li>Send it back.</li></ul>
<table><tr><th>Country</th><th>Days</th></tr><tr><td>France</td><td>3</td></tr></table></main>
<footer>Imprint</footer></body></html>"""


def docx_file() -> bytes:
    document = docx.Document()
    document.add_heading("Delivery", 1)
    document.add_paragraph("Orders arrive within three working days.")
    document.add_heading("Returns", 2)
    document.add_paragraph("Send it back.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "France", "3"
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def zip_bomb() -> bytes:
    """A docx whose document unpacks to 200 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b" " * (200 * 2**20))
    return file.getvalue()


def pdf_file(*lines: str) -> bytes:
    """A PDF of one page, written by hand."""
    lines = lines or (
        "Delivery",
        "Orders arrive within three working days, when they are paid before",
        "noon, and within four working days when they are paid later.",
        "Send it back.",
    )
    shown = "".join(f"({line}) Tj T* " for line in lines)
    content = f"BT /F1 12 Tf 14 TL 50 750 Td {shown}ET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    file, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    return file + (
        b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    )
