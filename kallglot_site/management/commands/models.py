"""``manage.py models``: speech and translation models from the Hugging Face hub."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from kallglot_site.operator_commands import ShortUsage
from kallglot_site.preparation import progress_shown
from sessions_app.engines.model_hub import catalogue, kinds, store
from sessions_app.engines.model_hub.catalogue import Entry
from sessions_app.engines.model_hub.errors import HubUnreachable, ModelError
from sessions_app.engines.model_hub.hub import Hub
from sessions_app.engines.model_hub.store import Installed, ModelStore, Plan

_LINES = 0.1  # without a terminal, a line of progress for each tenth


class Command(ShortUsage):
    help = (
        "List, fetch and remove models: translation models for ctranslate2://, Whisper sizes for "
        "whisper://, and voices for piper://. They come from the Hugging Face hub, or from the "
        "mirror in HF_ENDPOINT, and are kept in the data directory."
    )
    requires_system_checks = []
    arguments = "list|get|remove"

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, prog="manage.py models")
        listing = actions.add_parser(
            "list", help="what is installed, and what can be had", usage="manage.py models list"
        )
        listing.add_argument("--json", action="store_true", help="print JSON")
        getting = actions.add_parser(
            "get",
            help="fetch a model; a download that broke off goes on where it stopped",
            usage="manage.py models get NAME [--name NAME]   (--help explains them)",
        )
        getting.add_argument(
            "model",
            metavar="NAME",
            help="a name from the list, piper-LANGUAGE_REGION-NAME-QUALITY for any voice of "
            f"{catalogue.VOICES_REPO}, or hf:OWNER/REPO for any other model of these kinds",
        )
        getting.add_argument(
            "--name",
            help="what a model of hf:OWNER/REPO is called here (default: the repository's name "
            "without what names its format). OPUS-MT models end with their pair, like "
            "opus-mt-en-es",
        )
        removal = "Delete a model, or what was fetched of one. It is done at once: nothing is asked"
        removing = actions.add_parser(
            "remove",
            help="delete a model, without asking",
            description=f"{removal}. A running server may use a model until it is restarted.",
            usage="manage.py models remove NAME",
        )
        removing.add_argument("model", metavar="NAME", help="a name of an installed model")

    def handle(self, *args: Any, **options: Any) -> None:
        self._store = ModelStore(settings.DATA_DIR)
        try:
            match options["action"]:
                case "list":
                    self._list(as_json=options["json"])
                case "get":
                    self._get(options["model"], options["name"])
                case "remove":
                    freed = self._store.remove(options["model"])
                    self.stdout.write(f"Removed {options['model']} ({_megabytes(freed)}).")
        except ModelError as error:
            raise CommandError(str(error)) from None
        except PermissionError:
            raise  # is reported for all commands
        except OSError as error:
            raise CommandError(
                f"{error.filename or self._store.data_dir}: {error.strerror}."
            ) from None
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. Run it again to go on where it stopped.", returncode=130
            ) from None

    # -- list ------------------------------------------------------------------------------

    def _list(self, *, as_json: bool) -> None:
        installed = self._store.installed()
        if as_json:
            self.stdout.write(json.dumps(_as_json(installed), ensure_ascii=False, indent=2))
            return
        about = {entry.name: entry.about for entry in catalogue.entries()}
        here = {each.name for each in installed}
        self.stdout.write(f"Installed in {self._store.data_dir}:")
        self._table(
            (each.name, each.kind, _megabytes(each.size), about.get(each.name, ""))
            for each in installed
        )
        self.stdout.write("\nTo be had with `manage.py models get NAME`:")
        self._table(
            (entry.name, entry.kind or "", f"{entry.megabytes:,} MB", entry.licence, entry.about)
            for entry in catalogue.entries()
            if entry.name not in here
        )
        self.stdout.write(
            f"\nOther voices of https://huggingface.co/{catalogue.VOICES_REPO} are "
            "piper-LANGUAGE_REGION-NAME-QUALITY,\nother models of the hub hf:OWNER/REPO."
        )

    def _table(self, rows: Iterable[tuple[str, ...]]) -> None:
        lines = list(rows)
        if not lines:
            self.stdout.write("  nothing")
            return
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.stdout.write(f"  {'  '.join(cells)}".rstrip())

    # -- get -------------------------------------------------------------------------------

    def _get(self, model: str, name: str | None) -> None:
        entry = catalogue.find(model, name)
        if self._told_if_here(entry.name):
            return
        with Hub(settings.HF_ENDPOINT, settings.HF_TOKEN) as hub:
            try:
                plan = store.plan_for(entry, hub)
                if self._told_if_here(plan.entry.name):
                    return
                self._tell(plan)
                with progress_shown(_LINES) as report:
                    here = self._store.get(
                        plan, hub, lambda done, total: report(plan.entry.name, done, total)
                    )
            except HubUnreachable as error:
                raise CommandError(f"{error}\n{self._by_hand(entry)}") from None
        self.stdout.write(f"Installed {here.name} ({_megabytes(here.size)}) in {here.path}.")
        self._tell_usage(here)

    def _tell(self, plan: Plan) -> None:
        repository, licence = plan.repository, plan.entry.licence
        if not licence:
            licence = repository.licence or "not stated: see its page"
        elif (
            plan.kind != "voice"  # voices have licences of their own
            and repository.licence.lower() not in ("", licence.lower())
        ):
            licence += f" (the card of this conversion says {repository.licence})"
        self.stdout.write(f"{plan.entry.name}: {plan.kind} {plan.entry.about}".rstrip())
        self.stdout.write(f"from    {settings.HF_ENDPOINT}/{repository.name}")
        self.stdout.write(f"commit  {repository.commit}")
        self.stdout.write(f"licence {licence}")
        self.stdout.write(f"size    {_megabytes(plan.size)}")
        self.stdout.flush()

    def _told_if_here(self, name: str) -> bool:
        here = self._store.find(name)
        if here is not None:
            self.stdout.write(f"{name} is installed in {here.path}.")
            self._tell_usage(here)
        return here is not None

    def _tell_usage(self, here: Installed) -> None:
        self.stdout.write(f"setting {kinds.setting(here.kind, here.name)}")
        self.stdout.write(
            f"{kinds.also(here.kind, here.name)} Restart the server to use it.".strip()
        )

    def _by_hand(self, entry: Entry) -> str:
        """How to bring the model here without a network."""
        kind = entry.kind or "translation"
        place = self._store.place(kind, entry.name)
        if kind == "voice":
            files = " ".join(entry.files)
            return (
                "Run this again to go on. Without a network, run elsewhere "
                f"`hf download {entry.repo} {files} --local-dir voice` and copy both files to "
                f"{place}."
            )
        return (
            "Run this again to go on. Without a network, run elsewhere "
            f"`hf download {entry.repo} --local-dir {entry.name}` and copy that folder to {place}."
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e6:.2f} MB"


def _as_json(installed: list[Installed]) -> dict[str, Any]:
    here = {each.name for each in installed}
    return {
        "installed": [
            {
                "name": each.name,
                "kind": each.kind,
                "bytes": each.size,
                "path": str(each.path),
                "setting": kinds.setting(each.kind, each.name),
            }
            for each in installed
        ],
        "available": [
            {
                "name": entry.name,
                "kind": entry.kind,
                "repo": entry.repo,
                "licence": entry.licence,
                "megabytes": entry.megabytes,
                "about": entry.about,
                "installed": entry.name in here,
            }
            for entry in catalogue.entries()
        ],
    }
