"""Settings from the Parameter Store of AWS Systems Manager, for processes started without secrets."""

from __future__ import annotations

from ..errors import SettingsError
from ..settings import Settings
from .factories import make_aws_client


def parameters_of(settings: Settings) -> dict[str, str]:
    """Return the parameters under the path `secrets`, by their names below it, which are names of variables.

    Raises SettingsError if they cannot be read.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    path = f"{settings.secrets.rstrip('/')}/"
    try:
        pages = make_aws_client(settings, "ssm").get_paginator("get_parameters_by_path")
        found = [one for page in pages.paginate(Path=path, WithDecryption=True) for one in page["Parameters"]]
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(
            f"cannot read the parameters at {path} (STREAMDEX_SECRETS): {error}. This requires the permission"
            " ssm:GetParametersByPath, and kms:Decrypt if they are encrypted with a customer managed key."
        ) from error
    return {one["Name"].removeprefix(path): one["Value"] for one in found}
