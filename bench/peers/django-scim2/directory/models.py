"""Users and groups as django-scim2's documentation has them: its mixins on Django's own models."""
from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class User(AbstractSCIMUserMixin, AbstractUser):
    @property
    def scim_groups(self):
        return self.memberships


class Group(AbstractSCIMGroupMixin):
    name = models.CharField(max_length=254, unique=True)
    user_set = models.ManyToManyField(User, related_name="memberships")
