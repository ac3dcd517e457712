"""``python -m tools.reference`` writes docs/reference/; see the Makefile's target ``docs``."""

from tools.reference.pages import FOLDER, ROOT, pages

if __name__ == "__main__":
    folder = ROOT / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = pages()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    for stale in {path.name for path in folder.glob("*.md")} - set(written):
        (folder / stale).unlink()
    print(f"{len(written)} pages in {FOLDER}")
