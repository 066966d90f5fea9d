from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "kallglot_site.accounts"
    label = "accounts"
    verbose_name = "Accounts"
